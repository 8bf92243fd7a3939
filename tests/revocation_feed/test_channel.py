"""Processes that share a Redis: a revocation in one wakes the waiting requests of all."""

from __future__ import annotations

import logging
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import caches
from django.db import connection, transaction

from django_introspection import cache_properties
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.revocation_feed import channel, positions
from django_introspection.revocation_feed import news as news_module
from django_introspection.revocation_feed.models import Ending
from django_introspection.revocation_feed.news import news
from tests import factories
from tests.authorization_server.racing import in_threads
from tests.projects.run import run_module
from tests.redis_server import RedisServer

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="the program redis-server is not installed"),
    pytest.mark.django_db(transaction=True),
]
NEVER = 3600
LONG = 60
"""Seconds that a request would wait: the test fails after them."""


@pytest.fixture
def server(tmp_path: Path, settings: Any) -> Iterator[RedisServer]:
    running = RedisServer(tmp_path)
    settings.CACHES = {
        "default": settings.CACHES["default"],
        "shared": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{running.port}/0",
            "KEY_PREFIX": "orders",
            "OPTIONS": {"retry": None},
        },
    }
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATION_FEED": {"ALIAS": "shared"}}
    try:
        yield running
    finally:
        running.process.send_signal(signal.SIGCONT)
        running.kill()


@pytest.fixture
def _without_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread looks only if it is woken: what was missed stays unseen."""
    monkeypatch.setattr(news_module, "TICK", NEVER)


def published(server: RedisServer) -> int:
    return int(server.client.info("commandstats").get("cmdstat_publish", {}).get("calls", 0))


def listeners(server: RedisServer) -> int:
    ((_, number),) = server.client.pubsub_numsub(caches["shared"].make_key(channel.NAME))
    return int(number)


def until(is_so: Callable[[], Any]) -> None:
    end = time.monotonic() + LONG
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def woken(meanwhile: Callable[[], Any]) -> bool:
    """Wait for news, do something meanwhile in another thread, and return whether news came."""
    position, results = positions.give("default").position, list[bool]()

    def wait() -> None:
        results.append(async_to_sync(news.wait)(position, LONG, "default"))

    def begin() -> None:
        until(lambda: news._waiting)
        meanwhile()

    in_threads([wait, begin])
    return results[0]


def end_elsewhere() -> None:
    """Record an end as another process does: this one is not told."""
    token = factories.TokenFactory().token
    Ending.objects.create(digest=token.digest, expires_at=token.expires_at)


def tell(server: RedisServer) -> None:
    server.client.publish(caches["shared"].make_key(channel.NAME), "")


@pytest.mark.usefixtures("database_url", "_recording", "_without_tick")
def test_a_revocation_in_another_process_wakes_a_request(server: RedisServer, database_url: str) -> None:
    token = factories.TokenFactory().token

    def revoke() -> None:
        until(lambda: listeners(server))
        url = f"redis://127.0.0.1:{server.port}/0"
        run_module("tests.revocation_feed.revoking", "tests.settings", str(token.pk), url, DATABASE_URL=database_url)

    assert woken(revoke)
    assert Ending.objects.get().position == 1


@pytest.mark.usefixtures("database_url", "_recording", "_without_tick")
def test_a_message_wakes_a_request(server: RedisServer) -> None:
    def end_and_tell() -> None:
        until(lambda: listeners(server))
        end_elsewhere()
        tell(server)

    assert woken(end_and_tell)


@pytest.mark.usefixtures("database_url", "_recording", "_without_tick")
@pytest.mark.parametrize("backend", ["django_redis.cache.RedisCache", "django_valkey.cache.ValkeyCache"])
def test_caches_of_packages_have_the_same_channel(server: RedisServer, settings: Any, backend: str) -> None:
    location = settings.CACHES["shared"]["LOCATION"]
    its_own = {"BACKEND": backend, "LOCATION": location, "KEY_PREFIX": "orders"}
    settings.CACHES = {**settings.CACHES, "package": its_own}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATION_FEED": {"ALIAS": "package"}}
    assert cache_properties.has_channels("package")

    def end_and_publish() -> None:
        until(lambda: listeners(server))
        end_elsewhere()
        channel.publish("package")

    assert woken(end_and_publish)
    assert published(server) == 1


@pytest.mark.usefixtures("database_url", "_recording")
def test_a_message_that_is_lost_costs_a_tick(server: RedisServer) -> None:
    def end_silently() -> None:
        until(lambda: listeners(server))
        end_elsewhere()

    assert woken(end_silently)


@pytest.mark.usefixtures("database_url", "_recording")
@pytest.mark.parametrize("fail", [RedisServer.kill, lambda server: server.process.send_signal(signal.SIGSTOP)])
def test_a_redis_that_fails_leaves_the_tick(server: RedisServer, fail: Any) -> None:
    def end_after_failure() -> None:
        until(lambda: listeners(server))
        fail(server)
        end_elsewhere()

    assert woken(end_after_failure)


@pytest.mark.usefixtures("database_url", "_recording")
@pytest.mark.parametrize("fail", [RedisServer.kill, lambda server: server.process.send_signal(signal.SIGSTOP)])
def test_a_redis_that_fails_is_called_by_one_revocation(server: RedisServer, fail: Any, caplog: Any) -> None:
    tokens = [factories.TokenFactory().token for _ in range(5)]
    fail(server)

    for token in tokens:
        revoke_token(token, by=None)

    assert Ending.objects.count() == len(tokens)
    assert [record.getMessage().split(":")[0] for record in caplog.records if record.levelno == logging.WARNING] == [
        "the cache of the feed of revocations does not answer"
    ]
    assert str(server.port) not in caplog.text


@pytest.mark.usefixtures("database_url", "_recording", "_without_tick")
def test_after_a_restart_of_redis_messages_arrive_again(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "PAUSE", 0.05)

    def restart() -> None:
        until(lambda: listeners(server))
        server.kill()
        end_elsewhere()  # its message is lost; the listener looks when it is back
        server.start()

    assert woken(restart)
    assert listeners(server) == 1


@pytest.mark.usefixtures("database_url", "_recording", "_without_tick")
def test_a_connection_is_renewed_in_case_its_other_end_is_gone(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "RENEW", 0.1)

    def end_silently() -> None:
        until(lambda: listeners(server))
        end_elsewhere()

    assert woken(end_silently)


@pytest.mark.usefixtures("database_url", "_recording")
def test_nothing_listens_when_no_request_waits(server: RedisServer) -> None:
    def revoke() -> None:
        until(lambda: listeners(server))
        revoke_token(factories.TokenFactory().token, by=None)

    assert woken(revoke)
    until(lambda: not listeners(server))
    until(lambda: not [each for each in threading.enumerate() if "feed" in each.name])


@pytest.mark.usefixtures("_recording")
def test_a_revocation_publishes_once_after_its_commit(server: RedisServer) -> None:
    first, second = (factories.TokenFactory().token for _ in range(2))
    with transaction.atomic():
        revoke_token(first, by=None)
        assert published(server) == 0
    assert published(server) == 1

    with transaction.atomic():
        revoke_token(second, by=None)
        transaction.set_rollback(True)
    assert published(server) == 1


ON_POSTGRESQL = connection.vendor == "postgresql"


@pytest.mark.usefixtures("_recording")
@pytest.mark.parametrize(
    ("values", "calls"),
    [
        ({}, 0),
        ({"REVOCATIONS": {"ALIAS": "default"}}, 0),
        ({"REVOCATIONS": {"ALIAS": "shared"}}, 0 if ON_POSTGRESQL else 1),
        ({"REVOCATIONS": {"ALIAS": "shared"}, "REVOCATION_FEED": {"ALIAS": "shared"}}, 1),
    ],
    ids=["neither", "another cache", "the cache of REVOCATIONS", "named"],
)
def test_the_cache_of_revocations_is_used_unless_postgresql_notifies(
    server: RedisServer, settings: Any, values: dict[str, Any], calls: int
) -> None:
    settings.CACHES = {
        **settings.CACHES,
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "channel"},
    }
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATION_FEED": {}, **values}

    revoke_token(factories.TokenFactory().token, by=None)

    assert published(server) == calls


@pytest.mark.parametrize("prefix", ["orders", "billing"])
def test_projects_on_one_redis_have_channels_of_their_own(server: RedisServer, settings: Any, prefix: str) -> None:
    settings.CACHES = {**settings.CACHES, "shared": {**settings.CACHES["shared"], "KEY_PREFIX": prefix}}

    assert channel.name_in(caches["shared"]) == f"{prefix}:1:{channel.NAME}"
