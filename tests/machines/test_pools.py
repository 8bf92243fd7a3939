"""The journey through pools of connections, with more threads than connections."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.web_servers.running import PostgreSQL, free_port, open_directory

from . import documented
from .site import journey, running_site

SITE = "tests.machines.pooled_site"


@pytest.fixture(autouse=True)
def _empty(postgresql: PostgreSQL) -> None:
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def test_the_journey_goes_through_the_pool_of_psycopg(postgresql: PostgreSQL) -> None:
    with running_site(SITE, PORT=str(postgresql.port)) as site:
        journey(site)


def can_prepare() -> bool:
    """Return whether this PgBouncer keeps prepared statements in transaction mode: from 1.21 on."""
    shown = subprocess.run(["pgbouncer", "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"(\d+)\.(\d+)", shown)
    assert version is not None, shown
    return (int(version[1]), int(version[2])) >= (1, 21)


@contextmanager
def pgbouncer(postgresql: PostgreSQL, directory: Path) -> Iterator[int]:
    """Run PgBouncer with the configuration of the documentation, but without passwords."""
    port, users = free_port(), directory / "users.txt"
    users.write_text('"postgres" ""\n')
    changes = {
        "orders = host=127.0.0.1 port=5432 dbname=orders": f"postgres = host=127.0.0.1 port={postgresql.port}",
        "listen_port = 6432": f"listen_port = {port}\nunix_socket_dir =",
        "auth_type = scram-sha-256": "auth_type = trust",
        "/etc/pgbouncer/userlist.txt": str(users),
        "default_pool_size = 8": "default_pool_size = 2" + ("\nmax_prepared_statements = 200" if can_prepare() else ""),
    }
    configuration = documented.block("ini", "pgbouncer.ini")
    for documented_line, own in changes.items():
        assert documented_line in configuration
        configuration = configuration.replace(documented_line, own)
    file = directory / "pgbouncer.ini"
    file.write_text(configuration)
    as_user = [] if os.getuid() else ["runuser", "-u", "postgres", "--"]  # PgBouncer does not run as root
    with subprocess.Popen([*as_user, "pgbouncer", "--quiet", str(file)], cwd="/") as process:
        try:
            url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            for _ in range(100):
                try:
                    psycopg.connect(url, connect_timeout=1).close()
                    break
                except psycopg.OperationalError:
                    assert process.poll() is None, "PgBouncer ended"
                    time.sleep(0.1)
            yield port
        finally:
            process.terminate()


def test_the_journey_goes_through_pgbouncer(postgresql: PostgreSQL) -> None:
    kind = "prepared" if can_prepare() else "plain"
    with open_directory() as directory, pgbouncer(postgresql, directory) as port:
        documented.write(directory, {"settings.py": "settings.py, behind PgBouncer"})
        with running_site(SITE, PYTHONPATH=str(directory), PGBOUNCER=kind, PORT=str(port)) as site:
            journey(site)
        with psycopg.connect(postgresql.url) as connection:
            (count,) = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
            ).fetchone() or (0,)
        assert count <= 3, "two of the pool, and this one"
