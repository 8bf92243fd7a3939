"""Tombstones in a Redis server of our own that is killed, emptied, stopped and full."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.cache import caches

from django_introspection import cache_calls, revocations
from django_introspection.authorization_server import restoring
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.protocol.errors import RevocationsLost
from tests import endpoints, factories
from tests.redis_server import RedisServer

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="the program redis-server is not installed"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def server(tmp_path: Path, settings: Any) -> Iterator[RedisServer]:
    running = RedisServer(tmp_path)
    options = {"socket_timeout": 1, "socket_connect_timeout": 1, "retry": None}
    settings.CACHES = {
        "default": settings.CACHES["default"],
        "tombs": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{running.port}/0",
            "OPTIONS": options,
        },
    }
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {"ALIAS": "tombs"}}
    try:
        yield running
    finally:
        running.process.send_signal(signal.SIGCONT)
        running.kill()


@pytest.fixture
def revoked(server: RedisServer) -> Any:
    issued = factories.TokenFactory()
    revoke_token(issued.token, by=None)
    assert revocations.is_revoked(issued.token.digest)
    return issued.token


def pause_is_over() -> None:
    """Go on after the pause that follows a failure; no test waits for it."""
    for calls in cache_calls._every_purpose:
        calls.forget_failures()
    restoring._look_for_markers.reset()


def killed_and_restarted_empty(server: RedisServer) -> None:
    server.kill()
    server.start()


def emptied(server: RedisServer) -> None:
    server.client.flushall()


def cleared_by_the_project(server: RedisServer) -> None:
    caches["tombs"].clear()


@pytest.mark.parametrize("lose", [killed_and_restarted_empty, emptied, cleared_by_the_project])
def test_lost_tombstones_are_noticed_and_restored_by_the_next_request(
    lose: Any, server: RedisServer, revoked: Any
) -> None:
    lose(server)
    pause_is_over()

    with pytest.raises(IntrospectionUnavailable):  # a connection of the pool may be that of the server that was killed
        revocations.is_revoked(revoked.digest)
    pause_is_over()
    with pytest.raises(RevocationsLost):
        revocations.is_revoked(revoked.digest)
    assert endpoints.introspect("unknown", auth=factories.ResourceServerFactory()).status_code == 200

    assert revocations.is_revoked(revoked.digest)
    assert not revocations.is_revoked(factories.TokenFactory().token.digest)


@pytest.fixture
def timeouts(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """The timeouts of the connections to Redis."""
    seen: list[Exception] = []
    read_response = redis.Connection.read_response

    def read(*args: Any, **kwargs: Any) -> Any:
        try:
            return read_response(*args, **kwargs)
        except redis.TimeoutError as timeout:
            seen.append(timeout)
            raise

    monkeypatch.setattr(redis.Connection, "read_response", read)
    return seen


def test_a_server_that_hangs_costs_one_timeout_and_no_more(
    server: RedisServer, revoked: Any, timeouts: list[Exception]
) -> None:
    server.process.send_signal(signal.SIGSTOP)
    machine = factories.RegistrationFactory()
    tokens = [factories.TokenFactory(client=machine.client).access_token for _ in range(20)]

    for token in tokens:
        assert endpoints.post("/oauth/revoke", {"token": token}, auth=machine).status_code == 503

    assert len(timeouts) == 1
    server.process.send_signal(signal.SIGCONT)
    pause_is_over()
    restoring.restore_if_needed()
    assert revocations.is_revoked(revoked.digest)
    for token in tokens:
        assert endpoints.post("/oauth/revoke", {"token": token}, auth=machine).status_code == 200


def test_tombstones_that_a_full_server_evicts_are_noticed(server: RedisServer, revoked: Any, caplog: Any) -> None:
    server.client.config_set("maxmemory-policy", "allkeys-lru")
    server.client.config_set("maxmemory", server.client.info("memory")["used_memory"] + 200_000)
    place = revocations.introspection_settings.REVOCATIONS
    assert place is not None
    key = caches["tombs"].make_key(revocations.tombstone_key(revoked.digest, place))
    for number in range(20_000):
        server.client.set(f"answer:{number}", "x" * 200)
        if not server.client.exists(key):
            break
    else:
        pytest.fail("nothing was evicted")
    server.client.config_set("maxmemory", 0)
    revocations.set_markers()  # as if they had stayed, because they are read with every request
    assert revocations.is_revoked(revoked.digest) is False, "the marker alone does not show it"

    restoring._look_for_evictions.reset()
    pause_is_over()
    restoring.restore_if_needed()

    assert revocations.is_revoked(revoked.digest)
    assert [line for line in caplog.messages if "has evicted tombstones" in line]


def test_a_full_server_that_evicts_nothing_refuses_loudly(server: RedisServer, revoked: Any) -> None:
    machine = factories.RegistrationFactory()
    issued = factories.TokenFactory(client=machine.client)
    server.client.config_set("maxmemory-policy", "noeviction")
    server.client.config_set("maxmemory", 1)

    assert endpoints.post("/oauth/revoke", {"token": issued.access_token}, auth=machine).status_code == 503
    assert revocations.is_revoked(revoked.digest)

    server.client.config_set("maxmemory", 0)
    pause_is_over()
    restoring.restore_if_needed()
    assert revocations.is_revoked(issued.token.digest)
