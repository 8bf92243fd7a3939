"""The servers of a run: PostgreSQL, Redis and the web servers, each a process of its own that faults can reach."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.jose import pem
from tests.redis_server import RedisServer
from tests.web_servers.running import PostgreSQL, free_port, open_directory, wait_for

from .site import Server

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "var" / "soak"
GUNICORN = (
    *("gunicorn", "--worker-class=gthread", "--keep-alive=75", "--log-level=warning"),
    *("--bind=127.0.0.1:{port}", "django.core.wsgi:get_wsgi_application()"),
)
UVICORN = (
    *("uvicorn", "--host=127.0.0.1", "--port={port}", "--timeout-keep-alive=75", "--log-level=warning"),
    *("--factory", "django.core.asgi:get_asgi_application"),
)
COMMANDS = {
    Server.AUTHORIZATION: (*GUNICORN, "--workers=2", "--threads=4"),
    Server.API: (*GUNICORN, "--workers=1", "--threads=8"),
    Server.ASYNC_API: UVICORN,
}


@dataclass
class WebServer:
    """A web server that runs until it is stopped; its errors are kept in a file."""

    kind: Server
    environment: dict[str, str]
    port: int = field(default_factory=free_port)

    def start(self) -> None:
        command = [sys.executable, "-m", *(word.format(port=self.port) for word in COMMANDS[self.kind])]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=log, stderr=log)

    @property
    def log(self) -> Path:
        return LOGS / f"{self.kind.name.lower()}.log"

    def wait_until_it_answers(self) -> None:
        wait_for(self.port, self.process)

    def wait_until_it_ended(self) -> None:
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer: the children of gunicorn, uvicorn itself."""
        main = psutil.Process(self.process.pid)
        return [main] if self.kind is Server.ASYNC_API else main.children()


@dataclass
class Servers:
    """Everything that runs."""

    postgresql: PostgreSQL
    redis: RedisServer
    web: dict[Server, WebServer]

    def url(self, kind: Server) -> str:
        return f"http://127.0.0.1:{self.web[kind].port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a management command of the authorization server."""
        return self.web[Server.AUTHORIZATION].environment


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Start everything, empty, and stop it at the end of the block."""
    with open_directory() as directory, ExitStack() as stack:
        postgresql = PostgreSQL(directory)
        postgresql.start()
        stack.callback(lambda: postgresql.is_running and postgresql.stop())
        redis = RedisServer(directory)
        stack.callback(redis.kill)
        (directory / "signing.pem").write_text(pem("ES256"))
        servers = Servers(postgresql, redis, _web_servers(directory, postgresql, redis))
        subprocess.run([sys.executable, "-m", "tests.soak.prepare"], env=servers.environment, cwd=ROOT, check=True)
        LOGS.mkdir(parents=True, exist_ok=True)
        for server in servers.web.values():
            server.log.unlink(missing_ok=True)
            server.start()
            stack.callback(server.wait_until_it_ended)
        stack.callback(lambda: [server.process.terminate() for server in servers.web.values()])
        for server in servers.web.values():
            server.wait_until_it_answers()
        yield servers


def _web_servers(directory: Path, postgresql: PostgreSQL, redis: RedisServer) -> dict[Server, WebServer]:
    port = free_port()
    shared = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.soak.settings",
        "DATABASE_URL": postgresql.url,
        "CACHE_URL": f"redis://127.0.0.1:{redis.port}/0",
        "SOAK_ISSUER": f"http://127.0.0.1:{port}",
        "SOAK_SIGNING_KEY": str(directory / "signing.pem"),
    }
    servers = {kind: WebServer(kind, {**shared, "SOAK_SERVER": kind.value}) for kind in Server}
    servers[Server.AUTHORIZATION].port = port
    return servers
