"""A cache in a database, used by async views: its connections are bounded, and it is back after a restart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from django_introspection.outbound.threads import MAX_THREADS
from tests.misbehaving.server import MisbehavingServer

from .running import PYTHON, PostgreSQL, get, running

SITE = "tests.web_servers.remote_site"
SERVERS = {
    "uvicorn": [str(PYTHON), "-m", "uvicorn", "--port={port}", "--lifespan=off", f"{SITE}:asgi"],
    "gunicorn": [str(PYTHON), "-m", "gunicorn", "--threads=16", "--bind=127.0.0.1:{port}", f"{SITE}:wsgi"],
}


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_connections_are_few_and_the_cache_is_back_after_a_restart(command: list[str], postgresql: PostgreSQL) -> None:
    with (
        MisbehavingServer() as authorization_server,
        running(command, INTROSPECTION_URL=authorization_server.url, DATABASE_URL=postgresql.url) as port,
        ThreadPoolExecutor(16) as callers,
    ):
        statuses = set(callers.map(lambda number: get(port, "/async", f"token-{number % 20}")[0], range(400)))
        asked = len(authorization_server.requests)
        assert statuses == {200}
        assert asked < 100
        assert connections_of(postgresql) <= MAX_THREADS

        postgresql.stop()
        postgresql.start()

        assert {get(port, "/async", f"token-{number % 20}")[0] for number in range(40)} == {200}
        assert len(authorization_server.requests) == asked


def connections_of(postgresql: PostgreSQL) -> int:
    with psycopg.connect(postgresql.url) as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        ).fetchone()
    return int(count) - 1
