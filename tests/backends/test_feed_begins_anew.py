"""A feed that begins anew: what was kept before is not used, and the feed waits for no cache."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.backends.feed import Feed
from django_introspection.backends.feed_options import FeedOptions
from django_introspection.backends.feed_source import FeedPage
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.outbound.steps import Steps
from tests import caches as test_caches
from tests.misbehaving.server import MisbehavingServer

from .feed_server import FeedServer, until
from .issuers import access_token, jwt_settings, public, publish

CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])


class ForgetfulSource:
    """A server that knows none of its cursors but the last one."""

    def __init__(self) -> None:
        self.known = "c1"
        self.asked: list[str | None] = []

    def page(self, cursor: str | None, wait: int) -> Steps[FeedPage]:
        yield from ()
        self.asked.append(cursor)
        is_lost = cursor != self.known
        return FeedPage(self.known, is_lost, False, int(time.time()), 0, [], None, "any", (), None)


class Keeper:
    """Keep answers in a cache that refuses writes until it is `mended`."""

    def __init__(self) -> None:
        self.calls, self.is_mended = 0, False

    def forget(self) -> None:
        self.calls += 1
        if not self.is_mended:
            raise IntrospectionUnavailable("the cache is full")


@pytest.fixture
def source() -> ForgetfulSource:
    return ForgetfulSource()


@pytest.fixture
def followed(source: ForgetfulSource) -> Iterator[Feed]:
    feed = Feed("default", source, FeedOptions(FEED=True, MAX_DELAY=2), 1)
    feed.start()
    until(lambda: feed.is_fresh)
    yield feed
    feed.close()


@pytest.fixture
def keeper(followed: Feed) -> Keeper:
    keeper = Keeper()
    followed.on_restart.append(keeper.forget)
    return keeper


def test_a_cache_that_cannot_forget_does_not_keep_the_feed_from_beginning_anew(
    source: ForgetfulSource, followed: Feed, keeper: Keeper
) -> None:
    source.known = "c2"
    until(lambda: keeper.calls >= 2)

    until(lambda: followed.is_fresh)
    assert source.asked.count("c1") == source.asked.index("c2") - 1
    assert not followed.clears(1)

    keeper.is_mended = True
    until(lambda: followed.clears(1))
    calls = keeper.calls
    asked = len(source.asked)
    until(lambda: len(source.asked) > asked + 1)
    assert keeper.calls == calls


def test_a_second_beginning_lets_everything_be_forgotten_again(
    source: ForgetfulSource, followed: Feed, keeper: Keeper
) -> None:
    keeper.is_mended = True
    for number in (1, 2):
        source.known += "."
        until(lambda number=number: keeper.calls == number)  # type: ignore[misc]  # a default
        until(lambda: followed.clears(1))


def test_a_fork_does_not_use_what_its_parent_could_not_forget(
    source: ForgetfulSource, followed: Feed, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.known = "c2"
    until(lambda: keeper.calls)
    until(lambda: followed.is_fresh)
    own = os.getpid()

    monkeypatch.setattr(os, "getpid", lambda: own + 1)
    followed.start()

    until(lambda: followed.is_fresh)
    assert not followed.clears(1)
    keeper.is_mended = True
    until(lambda: followed.clears(1))


def fill_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the cache of answers refuse writes from now on, and answer reads."""
    monkeypatch.setattr(test_caches.UnreliableCache, "failing", frozenset({"set", "set_many"}))


def lose_history(server: FeedServer, followed: Feed) -> None:
    """Let the server lose the place of this process, and wait until the feed is fresh again."""
    polls = len(server.polls)
    server.lose_history()
    until(lambda: len(server.polls) > polls + 1 and followed.is_fresh)


@pytest.fixture
def unreliable(settings: Any) -> Any:
    prefix = settings.CACHES["default"]["KEY_PREFIX"]
    settings.CACHES = {"default": {**test_caches.unreliable(), "KEY_PREFIX": prefix}}
    return settings


@CALLS
@pytest.mark.parametrize("cache", [{}, {"LOCAL_MAX_AGE": 60}], ids=["shared", "local"])
def test_kept_answers_of_before_are_not_used_while_a_full_cache_cannot_forget_them(
    call: Any, cache: Any, unreliable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FeedServer() as server:
        unreliable.TOKEN_INTROSPECTION = server.settings(cache=cache)
        assert call("a")
        followed: Any = token_backends["default"].feed
        until(lambda: followed.is_fresh)
        server.end("a", is_heard=False)
        fill_up(monkeypatch)

        lose_history(server, followed)

        assert call("a") is None
        monkeypatch.setattr(test_caches.UnreliableCache, "failing", frozenset())
        until(lambda: followed.may_use_kept)
        assert call("a") is None


@CALLS
@pytest.mark.parametrize("fault", ["full", "hung"])
def test_a_jwt_is_judged_by_a_feed_whose_cache_of_answers_cannot_forget(
    call: Any, fault: str, unreliable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_caches.HungCache, "gives_up_after", 5)
    with MisbehavingServer() as keys, FeedServer() as server:
        publish(keys, public())
        server.issuer = keys.origin
        own = {**jwt_settings(keys.origin), "REVOCATIONS": {"FEED": "asked"}}
        asked = server.settings(cache={})["BACKENDS"]["default"]
        unreliable.TOKEN_INTROSPECTION = {"BACKENDS": {"default": own, "asked": asked}}
        token, other = access_token(keys.origin), access_token(keys.origin, sub="another")
        assert call(token)
        followed: Any = token_backends["asked"].feed
        if fault == "full":
            fill_up(monkeypatch)
        else:
            unreliable.CACHES = {"default": {"BACKEND": "tests.caches.HungCache"}}
        server.end(other)
        until(lambda: call(other) is None)

        lose_history(server, followed)

        assert call(token)
        assert call(other) is None
        assert not followed.may_use_kept
