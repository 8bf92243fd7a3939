"""Calls to a cache that fails, hangs and comes back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from django.core.cache import caches

from django_introspection import cache_calls
from django_introspection.cache_calls import PATIENCE, PAUSE, CacheCalls, CacheUnavailable


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    def move(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(cache_calls, "time", clock)
    return clock


@pytest.fixture
def calls() -> CacheCalls:
    return CacheCalls("tests")


def refused(cache: Any) -> Any:
    raise ConnectionError("redis://user:password@cache refuses")


def test_a_call_returns_what_the_cache_returns(calls: CacheCalls) -> None:
    calls.make("default", "set", "a", 1, timeout=60)

    assert calls.make("default", "get", "a") == caches["default"].get("a") == 1


def test_a_failed_cache_is_paused_and_logged_once(
    calls: CacheCalls, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for work in (refused, lambda cache: cache.get("a"), lambda cache: cache.get("a")):
        with pytest.raises(CacheUnavailable) as raised:
            calls.use("default", work)
        assert raised.value.__cause__ is None

    assert caplog.messages == ["the cache of tests does not answer: ConnectionError"]
    clock.move(PAUSE)
    assert calls.make("default", "get", "a") is None


def test_the_pause_of_one_cache_or_purpose_is_not_that_of_another(calls: CacheCalls, settings: Any) -> None:
    settings.CACHES = {**settings.CACHES, "other": settings.CACHES["default"]}
    with pytest.raises(CacheUnavailable):
        calls.use("default", refused)

    assert calls.make("other", "get", "a") is None
    assert CacheCalls("further tests").make("default", "get", "a") is None


def test_other_settings_are_tried_at_once(calls: CacheCalls, settings: Any) -> None:
    with pytest.raises(CacheUnavailable):
        calls.use("default", refused)
    settings.CACHES = dict(settings.CACHES)

    assert calls.make("default", "get", "a") is None


class Hanging:
    """A call that hangs in a thread of its own until it is released."""

    def __init__(self, calls: CacheCalls, threads: ThreadPoolExecutor) -> None:
        self._hangs, self._released = Event(), Event()
        self.result = threads.submit(calls.use, "default", self._hang)
        assert self._hangs.wait(timeout=10)

    def _hang(self, cache: Any) -> str:
        self._hangs.set()
        assert self._released.wait(timeout=10)
        return "late"

    def release(self) -> str:
        self._released.set()
        return self.result.result(timeout=10)


def test_no_later_call_waits_behind_one_that_hangs(
    calls: CacheCalls, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with ThreadPoolExecutor(1) as threads:
        hanging = Hanging(calls, threads)
        assert calls.make("default", "get", "a") is None
        clock.move(PATIENCE + 0.1)

        with pytest.raises(CacheUnavailable):
            calls.make("default", "get", "a")

        assert hanging.release() == "late"
        with pytest.raises(CacheUnavailable):
            calls.make("default", "get", "a")
    assert caplog.messages == ["the cache of tests does not answer: a call takes longer than 1 s"]


def test_after_a_pause_one_call_tries_and_the_others_do_not_wait_for_it(calls: CacheCalls, clock: Clock) -> None:
    with pytest.raises(CacheUnavailable):
        calls.use("default", refused)
    clock.move(PAUSE)
    with ThreadPoolExecutor(1) as threads:
        trying = Hanging(calls, threads)
        with pytest.raises(CacheUnavailable):
            calls.make("default", "get", "a")

        trying.release()

    assert calls.make("default", "get", "a") is None


def test_a_call_that_never_ends_does_not_keep_the_cache_paused_for_ever(calls: CacheCalls, clock: Clock) -> None:
    with ThreadPoolExecutor(1) as threads:
        hanging = Hanging(calls, threads)
        clock.move(PATIENCE + 0.1)
        with pytest.raises(CacheUnavailable):
            calls.make("default", "get", "a")
        clock.move(PAUSE)

        assert calls.make("default", "get", "a") is None
        hanging.release()


def test_a_call_that_is_interrupted_is_no_failure_and_no_longer_under_way(calls: CacheCalls, clock: Clock) -> None:
    def interrupted(cache: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calls.use("default", interrupted)
    clock.move(PATIENCE + 0.1)

    assert calls.make("default", "get", "a") is None
