"""Web servers and databases of their own, on free ports, for one test."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory

import pytest

PYTHON = Path(sys.executable)
PORTS = range(20_000, 30_000)
sample = SystemRandom().sample  # processes that test must not choose alike, whatever their seed


def free_port() -> int:
    """Return a port for a server that starts later, apart from those that systems give to outgoing connections."""
    for port in sample(PORTS, len(PORTS)):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def get(port: int, path: str, token: str) -> tuple[int, str]:
    """Return the status and the body of an answer; a connection of its own leads to any process."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@contextmanager
def running(command: Sequence[str], **environment: str) -> Iterator[int]:
    """Run a web server until the end of the block, and give its port, for which the command has `{port}`."""
    port = free_port()
    line = [each.format(port=port) for each in command]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), **environment}
    with subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port, server)
            yield port
        finally:
            server.terminate()
            try:
                server.wait(timeout=15)
            except subprocess.TimeoutExpired:
                server.kill()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            get(port, "/", "none")
        except (OSError, http.client.HTTPException):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.1)
        else:
            return


@contextmanager
def open_directory() -> Iterator[Path]:
    """Make a directory that other users reach: those of pytest are closed to them, at a depth that varies."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


class PostgreSQL:
    """A PostgreSQL of this test alone, which may be restarted, copied to a replica, and promoted."""

    def __init__(self, directory: Path) -> None:
        self._data, self.port = directory / "data", free_port()
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
        self._tools = found[-1].parent if found else Path(str(shutil.which("pg_ctl"))).parent

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def is_running(self) -> bool:
        return (self._data / "postmaster.pid").exists()

    def start(self) -> None:
        if not self._data.exists():
            self._make_directory()
            self._run("initdb", "--auth=trust", "--username=postgres", "--no-sync")
        options = f"-p {self.port} -k {self._data} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "--wait", "--log", str(self._data / "log"), "--options", options, "start")

    def start_as_replica_of(self, primary: PostgreSQL) -> None:
        self._make_directory()
        self._run("pg_basebackup", f"--dbname={primary.url}", "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
        self.start()

    def promote(self) -> None:
        self._run("pg_ctl", "--wait", "promote")

    def stop(self) -> None:
        self._run("pg_ctl", "--wait", "--mode=immediate", "stop")

    def _make_directory(self) -> None:
        self._data.mkdir(mode=0o700)
        if not os.getuid():  # PostgreSQL does not run as root
            shutil.chown(self._data, "postgres")

    def _run(self, tool: str, *arguments: str) -> None:
        as_user = [] if os.getuid() else ["runuser", "-u", "postgres", "--"]
        command = [*as_user, str(self._tools / tool), "-D", str(self._data), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", timeout=60)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with open_directory() as directory:
        server = PostgreSQL(directory)
        server.start()
        yield server
        server.stop()
