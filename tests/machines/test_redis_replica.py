"""Redis with a replica that is behind, and with Sentinel: what is lost, what notices it, and what mends it."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core import checks
from django.core.cache import caches

from django_introspection import cache_calls, introspect, revocations
from django_introspection.authorization_server import restoring
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.check_messages import TAG
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.models import Token
from django_introspection.protocol.errors import RevocationsLost
from django_introspection.protocol.jwt import token_identity
from django_introspection.revocations import Tombstone
from tests import factories
from tests.misbehaving.server import MisbehavingServer, remote_settings
from tests.redis_server import RedisServer
from tests.web_servers.running import free_port

from . import documented

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Servers:
    primary: RedisServer
    replica: RedisServer


def wait_until(condition: Callable[[], Any], what: str) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def directory(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


def follow(replica: RedisServer, primary: RedisServer) -> None:
    """Let a server copy another one, and wait until it has all of it."""
    replica.client.replicaof("127.0.0.1", primary.port)  # type: ignore[no-untyped-call]
    wait_until(lambda: replica.client.info("replication").get("master_link_status") == "up", "the replica has no link")


def wait_until_copied(servers: Servers) -> None:
    servers.primary.client.set("last", 1)  # WAIT waits for what its own connection wrote, and what came before
    assert servers.primary.client.wait(1, 10_000) == 1


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    running = Servers(RedisServer(directory(tmp_path, "primary")), RedisServer(directory(tmp_path, "replica")))
    try:
        running.primary.client.config_set("repl-diskless-sync-delay", 0)
        follow(running.replica, running.primary)
        yield running
    finally:
        for server in (running.primary, running.replica):
            server.kill()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules of the documentation: `shop.settings` has the caches, `shop.sentinel` the pool."""
    documented.write(tmp_path, {"sentinel.py": "sentinel.py", "settings.py": "settings.py, with replicas for answers"})
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield lambda name: importlib.import_module(f"shop.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def pause_is_over() -> None:
    """Go on after the pause that follows a failure; no test waits for it."""
    for calls in cache_calls._every_purpose:
        calls.forget_failures()
    restoring._look_for_markers.reset()


def revoked() -> Token:
    issued = factories.TokenFactory()
    revoke_token(issued.token, by=None)
    token: Token = issued.token
    return token


def test_an_answer_of_a_replica_that_is_behind_is_not_used_for_a_revoked_token(
    servers: Servers, shop: Any, settings: Any
) -> None:
    caches = shop("settings").CACHES
    caches["answers"]["LOCATION"] = [f"redis://127.0.0.1:{each.port}/0" for each in (servers.primary, servers.replica)]
    caches["revocations"] |= {"LOCATION": caches["answers"]["LOCATION"][0], "OPTIONS": shop("settings").WAIT}
    settings.CACHES = caches
    with MisbehavingServer() as authorization_server:
        remote = remote_settings(authorization_server.url)
        remote["BACKENDS"]["default"]["CACHE"] = {"ALIAS": "answers", "MAX_AGE": 60}
        settings.TOKEN_INTROSPECTION = {**remote, "REVOCATIONS": {"ALIAS": "revocations"}}
        revocations.set_markers()
        assert introspect("a token")
        wait_until_copied(servers)
        assert introspect("a token")
        assert len(authorization_server.requests) == 1, "the replica has the answer"

        servers.replica.client.replicaof("NO", "ONE")  # type: ignore[no-untyped-call]  # it stands still
        revocations.write_tombstones([Tombstone(token_identity("a token"), datetime.now(UTC) + timedelta(hours=1))])

        assert introspect("a token") is None
        assert len(authorization_server.requests) == 1


def test_tombstones_in_a_cache_that_reads_from_replicas_are_an_error_and_would_be_missed(
    servers: Servers, shop: Any, settings: Any
) -> None:
    both = shop("settings").CACHES["answers"]
    both["LOCATION"] = [f"redis://127.0.0.1:{each.port}/0" for each in (servers.primary, servers.replica)]
    settings.CACHES = {"default": both}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    revocations.set_markers()
    wait_until_copied(servers)
    servers.replica.client.replicaof("NO", "ONE")  # type: ignore[no-untyped-call]  # it stands still

    assert not revocations.is_revoked(revoked().digest), "the revocation is missed, and nothing shows it"
    found = [message.id for message in checks.run_checks(tags=[TAG])]
    assert f"{TAG}.E045" in found


@pytest.fixture
def sentinel(servers: Servers, tmp_path: Path) -> Iterator[redis.Redis]:
    port, config = free_port(), tmp_path / "sentinel.conf"
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        f"sentinel monitor revocations 127.0.0.1 {servers.primary.port} 1",
        "sentinel down-after-milliseconds revocations 300",
        "sentinel failover-timeout revocations 3000",
    ]
    config.write_text("\n".join(lines) + "\n")
    client = redis.Redis(port=port)
    command = ["redis-server", str(config), "--sentinel"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tmp_path) as process:
        try:
            wait_until(lambda: knows_replica(client), "Sentinel does not find the replica")
            yield client
        finally:
            process.kill()


def knows_replica(sentinel: redis.Redis) -> bool:
    try:
        return bool(sentinel.execute_command("SENTINEL", "REPLICAS", "revocations"))
    except redis.ConnectionError:
        return False


@pytest.fixture
def behind_sentinel(sentinel: redis.Redis, shop: Any, settings: Any) -> None:
    """REVOCATIONS in the cache of the documentation, with this Sentinel."""
    shop("sentinel").SENTINELS[:] = [("127.0.0.1", sentinel.connection_pool.connection_kwargs["port"])]
    settings.CACHES = {**shop("settings").CACHES, "default": settings.CACHES["default"]}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {"ALIAS": "revocations"}}
    revocations.set_markers()


def fail_over(servers: Servers) -> None:
    servers.primary.kill()
    with pytest.raises(IntrospectionUnavailable):
        revocations.set_markers()  # a resource server cannot go on either
    wait_until(lambda: servers.replica.client.info("replication")["role"] == "master", "no replica is promoted")
    wait_until(answers_again, "the cache does not find the new primary")


def answers_again() -> bool:
    pause_is_over()
    try:
        revocations.whole_since()
    except IntrospectionUnavailable:
        return False
    return True


@pytest.mark.usefixtures("behind_sentinel")
def test_a_failover_keeps_what_was_copied_and_the_command_restores_the_rest(servers: Servers) -> None:
    copied, lost = revoked(), revoked()
    wait_until_copied(servers)
    fail_over(servers)
    place = revocations.introspection_settings.REVOCATIONS
    assert place is not None
    key = revocations.tombstone_key(lost.digest, place)
    assert (
        servers.replica.client.delete(caches["revocations"].make_key(key)) == 1
    )  # as if it had not been copied in time

    assert revocations.is_revoked(copied.digest)
    assert not revocations.is_revoked(lost.digest), "the marker was copied, so nothing shows the loss"
    assert restoring.restore_all() == 2
    assert revocations.is_revoked(lost.digest)


@pytest.mark.usefixtures("behind_sentinel")
def test_a_failover_to_a_replica_without_the_marker_is_noticed_and_restored(servers: Servers) -> None:
    token = revoked()
    wait_until_copied(servers)
    fail_over(servers)
    servers.replica.client.flushall()

    with pytest.raises(RevocationsLost):
        revocations.is_revoked(token.digest)
    restoring.restore_if_needed()
    assert revocations.is_revoked(token.digest)
