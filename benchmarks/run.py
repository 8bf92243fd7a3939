"""Start one process for each scenario, let them take turns, and take each ratio between batches of the same cycle.

A machine whose speed drifts then slows both sides of a ratio. Each process runs on the same core.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from . import inputs, scenarios
from .rows import Row
from .scenarios import SCENARIOS, Counts

ROOT = Path(__file__).resolve().parent.parent
VALUE = "BENCHMARK_VALUE"


class Ratio(NamedTuple):
    """The CPU of a request, ours divided by the other: the median and the quartiles over the cycles."""

    median: float
    low: float
    high: float


@dataclass
class Measured:
    """What one scenario cost: CPU seconds of a request by cycle, and what one request was counted to do."""

    counts: Counts
    cpu: list[float] = field(default_factory=list)

    @property
    def microseconds(self) -> float:
        return median(self.cpu) * 1e6


def ratio(row: Row, measured: dict[str, Measured]) -> Ratio:
    ours, other = measured[row.ours].cpu, measured[row.other].cpu
    each = [mine / theirs for mine, theirs in zip(ours, other, strict=True)]
    low, _, high = quantiles(each, n=4) if len(each) > 1 else each * 3
    return Ratio(median(each), low, high)


def measure(rows: Iterable[Row], *, cycles: int, batch: int, tokens: int) -> dict[str, Measured]:
    """Run the scenarios of some rows; the first cycle warms up and does not count."""
    names = list(dict.fromkeys(name for row in rows for name in (row.ours, row.other)))
    with ExitStack() as stack:
        server = stack.enter_context(filled(tokens))
        workers = {name: stack.enter_context(Worker(name)) for name in names}
        measured = {name: Measured(worker.counts(server)) for name, worker in workers.items()}
        for cycle in range(cycles + 1):
            for name, worker in workers.items():
                cpu = worker.run(batch)
                if cycle:
                    measured[name].cpu.append(cpu)
    return measured


@contextmanager
def filled(tokens: int, more: Callable[[dict[str, Any]], dict[str, Any]] = dict) -> Iterator[Any]:
    """Make a database with its data, and a server that knows every token; yield the server.

    `more` may add to the data, and takes and returns what the workers are to know of it.
    """
    import django

    from tests.misbehaving.server import MisbehavingServer

    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    from . import data

    if connection.vendor != "postgresql":
        raise SystemExit("DATABASE_URL must name a PostgreSQL server, and CACHE_URL a Redis server")
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        with (
            MisbehavingServer("active", sub="1", username="user-1", exp=4102444800) as server,
            tempfile.NamedTemporaryFile("w", suffix=".json") as file,
        ):
            values = {**more(data.fill(tokens)), "origin": server.origin, "database": connection.settings_dict["NAME"]}
            server.behave("body", at="/jwks", content=json.dumps({"keys": values["jwks"]}).encode())
            json.dump(values, file)
            file.flush()
            connection.close()
            os.environ[inputs.VARIABLE] = file.name
            yield server
    finally:
        os.environ.pop(inputs.VARIABLE, None)
        teardown_databases(databases, verbosity=0)


def start(module: str, scenario: str, value: str = "") -> subprocess.Popen[str]:
    """Start a module with the settings of a scenario, in a process of its own that writes JSON.

    `value` is what the module finds in the variable VALUE, by which it knows that it is that process.
    """
    return subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**os.environ, scenarios.VARIABLE: scenario, VALUE: value},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def result(process: subprocess.Popen[str]) -> Any:
    """Return what a process has written when it has ended."""
    written, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{process.args} has failed")
    return json.loads(written)


class Worker:
    """The process of one scenario."""

    def __init__(self, name: str) -> None:
        self.name, self._slowness = name, SCENARIOS[name].slowness
        self._process = start("benchmarks.worker", name)

    def __enter__(self) -> Worker:
        self._counted = self._read()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(20)

    def run(self, batch: int) -> float:
        """Return the CPU seconds of one request, over a batch."""
        assert self._process.stdin
        print(max(1, batch // self._slowness), file=self._process.stdin, flush=True)
        return float(self._read()[0])

    def counts(self, server: Any) -> Counts:
        """Return what one request costs."""
        before = len(server.requests)
        self.run(1)
        return Counts(**self._counted, calls=len(server.requests) - before)

    def _read(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the scenario {self.name} has failed")
        return json.loads(line)


def wrong_counts(measured: dict[str, Measured]) -> Sequence[str]:
    """Return a sentence for each scenario of ours that costs more than it may."""
    return [
        f"{name}: {found.counts} instead of {expected}"
        for name, found in measured.items()
        if (expected := SCENARIOS[name].counts) is not None and found.counts != expected
    ]
