"""Values of the project that may change at any time, such as the issuers it trusts: looked up, and kept for seconds."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

from ..outbound.renewal import is_within
from ..protocol.errors import IntrospectionUnavailable

T = TypeVar("T")

KEPT_FOR = 5
"""Seconds after which a value is looked up again, and between two tries that fail."""
TIMEOUT = 5
"""Seconds that a caller waits for a look-up which another one has begun."""
STANDS_IN_FOR = 10 * 60
"""Seconds for which a value is used while it cannot be looked up again."""


class _Kept(NamedTuple, Generic[T]):
    value: T
    since: float


class Refreshed(Generic[T]):
    """Keep what `look_up` returns; it may raise IntrospectionUnavailable.

    One caller at a time looks it up. The others use the kept value if `may_stand_in` returns True for it, and wait
    otherwise: that a thing is unknown must have been found out less than KEPT_FOR seconds ago. They wait until the
    look-up has taken `timeout` seconds; one that hangs costs those that come later no time.
    """

    def __init__(
        self, look_up: Callable[[], T], *, may_stand_in: Callable[[T], bool], timeout: float = TIMEOUT
    ) -> None:
        self._look_up, self._may_stand_in, self._timeout = look_up, may_stand_in, timeout
        self._lock = Lock()
        self._began: float | None = None
        self._kept: _Kept[T] | None = None
        self._failure: _Kept[IntrospectionUnavailable] | None = None
        self._epoch = 0

    @property
    def fresh(self) -> T | None:
        """The value that `get` returns without looking up or waiting, None if there is none."""
        kept = self._fresh()
        return None if kept is None else kept.value

    def get(self) -> T:
        """Return the value, looked up if the kept one is old; raises IntrospectionUnavailable."""
        kept = self._fresh()
        if kept is not None:
            return kept.value
        if not self._lock.acquire(timeout=self._longest_wait() if self._stand_in() is None else 0):
            return self.without_look_up(IntrospectionUnavailable(f"a look-up takes more than {self._timeout:g} s"))
        try:
            self._began = monotonic()
            kept = self._fresh()
            return self._renew() if kept is None else kept.value
        finally:
            self._began = None
            self._lock.release()

    def without_look_up(self, failure: IntrospectionUnavailable) -> T:
        """Return the value that stands in, or raise the failure for this caller."""
        stand_in = self._stand_in()
        if stand_in is None:
            raise failure.fresh()
        return stand_in.value

    def forget(self) -> None:
        """Look it up for the next caller, also if a look-up is under way: it may have read what was there before."""
        self._epoch += 1
        self._kept = self._failure = None

    def _longest_wait(self) -> float:
        began, now = self._began, monotonic()
        return self._timeout if began is None else max(began + self._timeout - now, 0)

    def _renew(self) -> T:
        if self._failure is not None and is_within(self._failure.since, monotonic(), KEPT_FOR):
            return self.without_look_up(self._failure.value)
        while True:
            epoch, now = self._epoch, monotonic()
            try:
                value = self._look_up()
            except IntrospectionUnavailable as failure:
                self._failure = _Kept(failure.fresh(), monotonic())
                return self.without_look_up(failure)
            if epoch == self._epoch:
                self._kept, self._failure = _Kept(value, now), None
                return value

    def _fresh(self) -> _Kept[T] | None:
        kept = self._kept
        return kept if kept is not None and is_within(kept.since, monotonic(), KEPT_FOR) else None

    def _stand_in(self) -> _Kept[T] | None:
        kept = self._kept
        if kept is None or not self._may_stand_in(kept.value):
            return None
        return kept if is_within(kept.since, monotonic(), STANDS_IN_FOR) else None
