"""Caches that threads and tasks share: no connection for each request, and no wait without an end."""

from __future__ import annotations

import asyncio
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.cache import caches

from django_introspection import aintrospect, introspect, shared_caches
from django_introspection.shared_caches import LONGEST_WAIT, shared_cache
from tests import services
from tests.misbehaving.server import MisbehavingServer, silent_url

REDIS = "django.core.cache.backends.redis.RedisCache"


@pytest.fixture
def answering(settings: Any) -> Any:
    """An authorization server whose answers are kept in the default cache."""
    with MisbehavingServer() as server:
        values = server.settings(timeout=5)
        values["BACKENDS"]["default"]["CACHE"] = {}
        settings.TOKEN_INTROSPECTION = values
        yield server


def test_threads_share_an_object_for_redis_and_none_of_another_kind(settings: Any) -> None:
    settings.CACHES = {
        "default": {"BACKEND": REDIS, "LOCATION": "redis://127.0.0.1:1"},
        "own": {"BACKEND": "tests.caches.CountingRedisCache", "LOCATION": "redis://127.0.0.1:1"},
    }
    with ThreadPoolExecutor(1) as pool:
        shared = pool.submit(shared_cache, "default").result()

        assert shared_cache("default") is shared
        assert shared_cache("default") is not caches["default"]
        assert shared_cache("own") is caches["own"]


@pytest.mark.parametrize("call", [introspect, lambda token: asyncio.run(aintrospect(token))], ids=["sync", "async"])
def test_a_redis_that_hangs_is_waited_for_no_longer_than_a_second_by_default(
    call: Any, answering: MisbehavingServer, settings: Any
) -> None:
    with silent_url("http") as url:
        settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": f"redis://{urlsplit(url).netloc}"}}
        start = time.monotonic()
        assert call("token")

    assert time.monotonic() - start < 4 * LONGEST_WAIT, "the default of the client is five seconds"


def test_what_the_settings_name_counts(settings: Any) -> None:
    options = {"socket_timeout": 0.2, "serializer": "django.core.signing.JSONSerializer"}
    with silent_url("http") as url:
        location = f"redis://{urlsplit(url).netloc}"
        settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": location, "OPTIONS": options, "KEY_PREFIX": "a"}}
        start = time.monotonic()
        with pytest.raises(Exception, match="Timeout"):
            shared_cache("default").get("key")

    assert time.monotonic() - start < LONGEST_WAIT
    assert shared_cache("default").key_prefix == "a"


def clients_of_calls(settings: Any, *ports: int) -> list[Any]:
    """Return the clients of redis-py of a write and two reads."""
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": [f"redis://127.0.0.1:{port}" for port in ports]}}
    cache: Any = shared_cache("default")
    get_client = cache._cache.get_client
    return [get_client("a", write=True), get_client("b"), get_client(None)]


def test_all_calls_to_one_server_use_one_client_of_redis_py(settings: Any) -> None:
    assert len(set(map(id, clients_of_calls(settings, 1)))) == 1


def test_a_replica_is_read_and_never_written_to(settings: Any) -> None:
    used = [client.connection_pool.connection_kwargs["port"] for client in clients_of_calls(settings, 1, 2)]

    assert used == [1, 2, 2]


def test_a_django_without_the_name_of_its_client_class_makes_its_own(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_caches, "RedisCacheClient", object)

    assert len(set(map(id, clients_of_calls(settings, 1)))) == 3


@pytest.mark.skipif("redis" not in services.cache()["BACKEND"], reason="it counts the connections of a real Redis")
def test_async_requests_share_their_connections(answering: MisbehavingServer, settings: Any) -> None:
    name = uuid.uuid4().hex
    settings.CACHES = {"default": {**settings.CACHES["default"], "OPTIONS": {"client_name": name}}}

    async def ask() -> list[int]:
        for each in range(50):  # a server makes a task of each request
            assert await asyncio.create_task(aintrospect(f"token-{each}"))
        clients = shared_cache("default")._cache.get_client(None).client_list()  # type: ignore[attr-defined] # Redis has it
        return [int(client["id"]) for client in clients if client["name"] == name]

    ids = asyncio.run(ask())

    assert ids
    assert len(ids) < 5, "each request opened one"
