"""Compare whole servers over HTTP: our endpoint behind granian, from PostgreSQL, and oidc-provider from its memory.

`make benchmark-servers`. Each server is one process that answers one caller with a kept connection. They take turns;
what counts is the CPU time of the process, with its HTTP server, for one introspection.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from . import scenarios
from .inputs import CLIENT_ID, inputs
from .run import filled

TOKENS = 400
"""oidc-provider keeps at most 1,000 values of all kinds in its memory."""
GOAL = 0.4
OURS = {"plain settings": "endpoint", "prepared": "endpoint-prepared", "prepared, client kept": "endpoint-keeping"}
TICK = os.sysconf("SC_CLK_TCK")


class Server:
    """A running server: where it introspects, the credentials of its caller, and the tokens that it knows."""

    def __init__(self, process: int, url: str, caller: tuple[str, str], tokens: list[str]) -> None:
        parts = urlsplit(url)
        self._process, self._path, self._tokens = process, parts.path, cycle(tokens)
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        credentials = base64.b64encode(":".join(caller).encode()).decode()
        self._headers = {
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }

    def run(self, batch: int) -> float:
        """Return the CPU seconds that one introspection takes in the server, over a batch."""
        before = _cpu_seconds(self._process)
        for token in islice(self._tokens, batch):
            self._connection.request("POST", self._path, f"token={token}", self._headers)
            response = self._connection.getresponse()
            content = response.read()
            if response.status != 200 or b'"active":true' not in content:
                raise SystemExit(f"{self._path}: {response.status} {content!r}")
        return (_cpu_seconds(self._process) - before) / batch


def _cpu_seconds(process: int) -> float:
    """Return what a process and its children have used, the children that run too: granian's worker is one."""
    ticks = 0
    for number, _, fields in _processes():
        if process in (number, int(fields[1])):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK


def _child(name: str) -> int:
    """Return the process of this name that this one has started."""
    return next(number for number, own, fields in _processes() if own == name and int(fields[1]) == os.getpid())


def _processes() -> Iterator[tuple[int, str, list[str]]]:
    """Give the number, the name and the other fields of each process, from its state on (proc(5))."""
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            before, _, fields = each.read_text().rpartition(")")
            number, _, name = before.partition(" (")
            yield int(number), name, fields.split()


@contextmanager
def ours(scenario: str) -> Iterator[Server]:
    """Run a scenario of the endpoint behind granian, in one worker with one thread."""
    from tests.web_servers.running import free_port, wait_for

    port, environment = free_port(), {**os.environ, scenarios.VARIABLE: scenario}
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "1", "--blocking-threads", "1"]
    command += ["--port", str(port), "--log-level", "error", "benchmarks.wsgi:application"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port, process)
            known = inputs()
            url = f"http://127.0.0.1:{port}/measured"
            yield Server(process.pid, url, (CLIENT_ID, known["secret"]), known["tokens"][:TOKENS])
        finally:
            process.terminate()


@contextmanager
def oidc_provider() -> Iterator[Server]:
    """Run oidc-provider with its store in memory."""
    from tests.peers.flows import CALLER
    from tests.peers.servers import PEERS, running

    os.environ["NODE_ENV"] = "production"
    with TemporaryDirectory() as directory, running(PEERS["oidc_provider"], "opaque", Path(directory)) as server:
        process = _child("node")
        tokens = [server.machine_token() for _ in range(TOKENS)]
        yield Server(process, server.metadata["introspection_endpoint"], CALLER, tokens)


def main() -> None:
    """Print the requests per second of CPU time of each server, and the ratio of each of ours to oidc-provider."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.servers", description=__doc__)
    parser.add_argument("--cycles", type=int, default=15, help="turns of each server")
    parser.add_argument("--batch", type=int, default=1000, help="requests in a turn; the clock ticks every 10 ms")
    options = parser.parse_args()
    with ExitStack() as stack:
        stack.enter_context(filled(TOKENS))
        servers = {"oidc-provider": stack.enter_context(oidc_provider())}
        servers |= {name: stack.enter_context(ours(scenario)) for name, scenario in OURS.items()}
        used: dict[str, list[float]] = {name: [] for name in servers}
        for turn in range(options.cycles + 1):
            for name, server in servers.items():
                cpu = server.run(options.batch)
                if turn:  # the first one warms up
                    used[name].append(cpu)
    other = used["oidc-provider"]
    print(f"{'one process, requests per second of CPU':42} {'median':>7} {'/ oidc-provider':>16} {'quartiles':>13}")
    for name, own in used.items():
        ratios = [theirs / mine for mine, theirs in zip(own, other, strict=True)]
        low, _, high = quantiles(ratios, n=4)
        print(f"{name:42} {1 / median(own):>7.0f} {median(ratios):>16.2f} {low:>6.2f}-{high:.2f}")
    print(f"goal for the last: {GOAL}")


if __name__ == "__main__":
    main()
