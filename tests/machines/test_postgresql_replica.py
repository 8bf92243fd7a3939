"""A primary and a streaming replica: nothing is decided by what the replica has, and a failover loses nothing.

The tests run in the order of this file, because the last one ends the primary.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Condition
from typing import Any

import psycopg
import pytest

from tests.web_servers.running import PostgreSQL, open_directory

from . import documented
from .site import Answer, Site, running_site


@dataclass
class Pair:
    primary: PostgreSQL
    replica: PostgreSQL
    site: Site

    def on_replica(self, statement: str) -> Any:
        return ask(self.replica, statement)


def ask(server: PostgreSQL, statement: str) -> Any:
    with psycopg.connect(server.url, autocommit=True) as connection:
        return connection.execute(statement).fetchone()


def make_synchronous(primary: PostgreSQL) -> None:
    with psycopg.connect(primary.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        connection.execute("SELECT pg_reload_conf()")


def wait_until_replayed(primary: PostgreSQL) -> None:
    """Make a commit that is acknowledged when the replica shows it."""
    with psycopg.connect(primary.url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = 'remote_apply'")
        connection.execute("SELECT pg_logical_emit_message(true, 'replayed', '')")


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """A site on a primary, and a replica that has each commit before it is acknowledged but does not replay it."""
    with open_directory() as settings, open_directory() as of_primary, open_directory() as of_replica:
        primary, replica = PostgreSQL(of_primary), PostgreSQL(of_replica)
        documented.write(settings, {"settings.py": "settings.py", "routers.py": "routers.py"})
        primary.start()
        replica.start_as_replica_of(primary)
        try:
            make_synchronous(primary)
            ports = {"PRIMARY": str(primary.port), "REPLICA": str(replica.port)}
            with running_site("tests.machines.replicated_site", PYTHONPATH=str(settings), **ports) as site:
                wait_until_replayed(primary)
                ask(replica, "SELECT pg_wal_replay_pause()")
                yield Pair(primary, replica, site)
        finally:
            for server in (replica, primary):
                if server.is_running:
                    server.stop()


PAGES = ["token/", "token/?state=active", "token/overview/", "client/", "client/{machine_pk}/change/", "client/add/"]


def test_nothing_is_decided_by_a_replica_that_stands_still(pair: Pair) -> None:
    site = pair.site
    kept, revoked = site.issue(), site.issue()
    refreshed = site.refresh(site.made["refresh_token"])
    assert site.is_active(kept)
    assert site.is_active(revoked)
    assert refreshed.status == 200
    assert site.is_active(refreshed.members["access_token"])

    assert site.revoke(revoked).status == 200
    assert site.refresh(site.made["refresh_token"]).status == 400, "it was used already"

    assert not site.is_active(revoked)
    assert not site.is_active(refreshed.members["access_token"])
    assert site.is_active(kept)
    token_id = site.introspect(kept).members["jti"]
    for page in [*PAGES, f"token/{token_id}/change/", f"token/{token_id}/revoke/"]:
        assert site.admin(page.format(**site.made)).status in (200, 302), page
    assert token_id not in site.admin("token/").body.decode(), "the list is the replica's"

    pair.on_replica("SELECT 1 FROM pg_wal_replay_resume()")
    wait_until_replayed(pair.primary)
    assert token_id in site.admin("token/").body.decode()


def test_the_site_decides_without_its_replica(pair: Pair) -> None:
    with psycopg.connect(pair.primary.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
        connection.execute("SELECT pg_reload_conf()")
    pair.replica.stop()

    token = pair.site.issue()
    assert pair.site.is_active(token)
    assert pair.site.revoke(token).status == 200
    assert not pair.site.is_active(token)
    assert pair.site.admin("token/").status == 200, "the list falls back to the primary"

    pair.replica.start()
    make_synchronous(pair.primary)


@dataclass
class Traffic:
    """What clients did, and what was acknowledged; each even token is revoked after it was issued."""

    site: Site
    live: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    refusals: list[Answer] = field(default_factory=list)
    is_over: bool = False
    changed: Condition = field(default_factory=Condition)

    def run(self, _: int) -> None:
        number = 0
        while not self.is_over:
            number += 1
            issued = self._noted(self.site.try_to_issue())
            if issued is None:
                continue
            token = issued.members["access_token"]
            if number % 2:
                self._add(self.live, token)
            elif self._noted(self.site.revoke(token)) is not None:
                self._add(self.revoked, token)

    def _noted(self, answer: Answer) -> Answer | None:
        """Return an acknowledgement, and note each other answer."""
        if answer.status == 200:
            return answer
        self._add(self.refusals, answer)
        return None

    def _add(self, to: list[Any], what: Any) -> None:
        with self.changed:
            to.append(what)
            self.changed.notify_all()

    def wait_for(self, which: str, count: int) -> None:
        with self.changed:
            wanted = len(getattr(self, which)) + count
            assert self.changed.wait_for(lambda: len(getattr(self, which)) >= wanted, timeout=30), which


def test_a_failover_is_refused_requests_and_nothing_that_was_acknowledged_is_lost(pair: Pair) -> None:
    wait_until_replayed(pair.primary)
    pair.on_replica("SELECT pg_wal_replay_pause()")  # it has what is acknowledged, and shows it when it is promoted
    traffic = Traffic(pair.site)
    with ThreadPoolExecutor(3) as clients:
        running = [clients.submit(traffic.run, number) for number in range(3)]
        try:
            traffic.wait_for("revoked", 10)
            pair.primary.stop()
            traffic.wait_for("refusals", 5)
            assert pair.site.view(traffic.live[0]).is_refused_for_now
            assert pair.site.introspect(traffic.live[0]).is_refused_for_now
            pair.replica.promote()
            traffic.wait_for("revoked", 5)
        finally:
            traffic.is_over = True
        for client in running:
            client.result()

    assert all(answer.is_refused_for_now for answer in traffic.refusals)
    assert [token for token in traffic.live if not pair.site.is_active(token)] == []
    assert [token for token in traffic.revoked if pair.site.is_active(token)] == []
    for page in PAGES:
        assert pair.site.admin(page.format(**pair.site.made)).status == 200, page
