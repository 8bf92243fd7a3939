"""A cache that hangs costs a request a part of its time, and the server is neither left out nor blamed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from django_introspection import aintrospect, introspect
from django_introspection.exceptions import IntrospectionUnavailable
from tests import caches as test_caches
from tests.backends.issuers import access_token, jwt_settings, public, publish
from tests.misbehaving.server import MisbehavingServer


@pytest.fixture
def hung(authorization_server: MisbehavingServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The cache of answers hangs for longer than a request may take, and the server is well."""
    monkeypatch.setattr(test_caches.HungCache, "gives_up_after", 2.1)
    settings.CACHES = {"default": {"BACKEND": "tests.caches.HungCache"}}
    values = authorization_server.settings(timeout=2)
    values["BACKENDS"]["default"]["CACHE"] = {}
    settings.TOKEN_INTROSPECTION = values
    test_caches.HungCache.released.clear()
    test_caches.CALLS.clear()
    yield
    test_caches.HungCache.released.set()


@pytest.mark.usefixtures("hung")
def test_requests_in_threads_are_answered_by_the_server(
    authorization_server: MisbehavingServer, circuit_changes: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(introspect, (f"token-{number}" for number in range(6))))
    hung = len(test_caches.CALLS)
    for number in range(6, 12):
        assert introspect(f"token-{number}")

    assert hung <= 6
    assert len(test_caches.CALLS) == hung, "the cache is left alone for a while"
    assert len(authorization_server.requests) == 12
    assert circuit_changes == []
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "the cache of answers does not answer: TimeoutError"
    ]


@pytest.mark.usefixtures("hung")
def test_a_task_that_verifies_a_jwt_does_not_wait_for_a_hung_cache(
    authorization_server: MisbehavingServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_caches.HungCache, "gives_up_after", 30)
    publish(authorization_server, public())
    backend = jwt_settings(authorization_server.origin, timeout=4)
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": backend}, "REVOCATIONS": {"ALIAS": "default"}}

    async def refused() -> None:
        with pytest.raises(IntrospectionUnavailable, match="cache of revocations"):
            await aintrospect(access_token(authorization_server.origin))
        assert not test_caches.HungCache.released.is_set()
        test_caches.HungCache.released.set()  # or the loop would wait for its threads

    asyncio.run(refused())


@pytest.mark.usefixtures("hung")
def test_tasks_go_on_before_the_cache_has_given_up(
    authorization_server: MisbehavingServer, circuit_changes: list[Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_caches.HungCache, "gives_up_after", 30)
    values = authorization_server.settings(timeout=4)
    values["BACKENDS"]["default"]["CACHE"] = {}
    settings.TOKEN_INTROSPECTION = values

    async def many() -> list[Any]:
        answers = await asyncio.gather(*(aintrospect(f"token-{number}") for number in range(6)))
        assert not test_caches.HungCache.released.is_set()
        test_caches.HungCache.released.set()  # or the loop would wait for its threads
        return answers

    assert all(asyncio.run(many()))
    assert len(authorization_server.requests) == 6
    assert circuit_changes == []
