"""Values of other machines, such as documents, keys and tokens: fetched once, kept, and renewed in the background."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from functools import partial
from threading import Lock, Thread
from typing import Generic, NamedTuple, TypeVar

from ..protocol.errors import IntrospectionUnavailable
from .deadline import deadline
from .single_flight import SingleFlight
from .steps import Blocking, Steps, run

logger = logging.getLogger("django_introspection")

T = TypeVar("T")

RENEW_EVERY = 60
"""Seconds between two tries to renew a value, while the kept one serves on."""
TIMEOUT = 10
"""Seconds that a renewal in the background may take."""
LONGEST_WAIT = 1
"""Seconds that one request waits for a renewal, if the value was not used for so long that it is far from fresh."""


class Fetched(NamedTuple, Generic[T]):
    """A value, the seconds after which it is renewed, and the seconds for which it can be used."""

    value: T
    fresh_for: float
    usable_for: float


class Kept(NamedTuple, Generic[T]):
    """A value that was asked for at the moment `since`."""

    fetched: Fetched[T]
    since: float


class Renewable(Generic[T]):
    """Keep the value that `fetch` brings; `name` is for the log.

    A request waits only if there is no value that it can use. While there is one, a thread of its own renews it: a
    worker that serves one request at a time has no other moment for it, and an event loop may end before the answer.
    After a failed first fetch, `retry` seconds pass until the next one. A value that is not enough for a caller is
    replaced once in `replace_every` seconds at most, since a stranger can name a key that does not exist.
    """

    def __init__(
        self, name: str, fetch: Callable[[], Steps[Fetched[T]]], *, retry: float, replace_every: float = RENEW_EVERY
    ) -> None:
        self._name, self._fetch, self._retry, self._replace_every = name, fetch, retry, replace_every
        self._flights, self._lock = SingleFlight(), Lock()
        self._kept: Kept[T] | None = None
        self._failure: IntrospectionUnavailable | None = None
        self._paused_at: float | None = None
        self._renewal_at: float | None = None

    def get(self, is_enough: Callable[[T], bool] | None = None) -> Steps[T]:
        """Return the value, replaced if `is_enough` returns False for it; raise IntrospectionUnavailable.

        A value that is not enough is returned only if it was asked for after the caller came; an older one proves
        nothing.
        """
        came_at = time.time()
        if (kept := self._kept) is not None and not is_within(kept.since, came_at, kept.fetched.fresh_for):
            yield from self._renew_in_background(kept, came_at)
        value = self._usable(came_at)
        if value is not None and (is_enough is None or is_enough(value)):
            return value
        kept = yield from self._flights.call_once("value", partial(self._obtain, is_enough))
        value = kept.fetched.value
        if is_enough is not None and not is_enough(value) and kept.since < came_at:
            raise self._failure_in_pause(came_at, self._replace_every)
        return value

    def _usable(self, now: float) -> T | None:
        kept = self._kept
        return kept.fetched.value if kept is not None and self._is_usable(kept, now) else None

    @staticmethod
    def _is_usable(kept: Kept[T], now: float) -> bool:
        return is_within(kept.since, now, kept.fetched.usable_for)

    def _obtain(self, is_enough: Callable[[T], bool] | None) -> Steps[Kept[T]]:
        """Fetch the value, unless the flight before has brought it or the pause after a failure lasts."""
        now = time.time()
        value, kept = self._usable(now), self._kept
        if kept is not None and value is not None and (is_enough is None or is_enough(value)):
            return kept
        pause = self._retry if value is None else self._replace_every
        if self._paused_at is not None and is_within(self._paused_at, now, pause):
            raise self._failure_in_pause(now, pause)
        return (yield from self._renew(pauses=value is not None))

    def _renew(self, *, pauses: bool) -> Steps[Kept[T]]:
        """Fetch the value; after a failure, and after a replacement, other callers must wait for the next try."""
        now = time.time()
        try:
            kept = Kept((yield from self._fetch()), now)
        except IntrospectionUnavailable as failure:
            self._failure, self._paused_at = failure.fresh(), now
            raise
        if self._kept is None or now >= self._kept.since:  # a renewal that was slow brings what is old by now
            self._kept = kept
        self._failure, self._paused_at = None, now if pauses else None
        return kept

    def _failure_in_pause(self, now: float, pause: float) -> IntrospectionUnavailable:
        if self._failure is not None:
            return self._failure.fresh()
        left = math.ceil((self._paused_at or now) + pause - now)
        return IntrospectionUnavailable(f"{self._name} fetched a moment ago", retry_after=max(left, 1))

    def _renew_in_background(self, kept: Kept[T], now: float) -> Steps[None]:
        """Start one renewal; one that never ends, such as that of a parent process, is not waited for."""
        with self._lock:
            is_under_way = self._renewal_at is not None and is_within(self._renewal_at, now, RENEW_EVERY)
            if is_under_way or not self._is_usable(kept, now):
                return
            self._renewal_at = now
        thread = Thread(target=self._renew_now, name="django_introspection: renewal", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down, or the machine has no thread left
            logger.warning("%s not renewed: no thread can be started", self._name)
            return
        is_far_from_fresh = not is_within(kept.since, now, kept.fetched.fresh_for + RENEW_EVERY)
        if is_far_from_fresh and self._failure is None:  # a key that was removed hours ago must not serve once more
            yield from Blocking(partial(thread.join, LONGEST_WAIT))

    def _renew_now(self) -> None:
        try:
            with deadline(TIMEOUT):
                run(self._renew(pauses=False))
            self._renewal_at = None
        except IntrospectionUnavailable as failure:
            logger.warning("%s not renewed, the kept ones are used: %s", self._name, failure)


def is_within(since: float, now: float, seconds: float) -> bool:
    """Return whether a moment is less than some seconds ago; a clock that was set back proves nothing."""
    return seconds == math.inf or 0 <= now - since < seconds
