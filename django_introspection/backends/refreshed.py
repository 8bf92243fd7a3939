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
STANDS_IN_FOR = 10 * 60
"""Seconds for which a value is used while it cannot be looked up again."""


class _Kept(NamedTuple, Generic[T]):
    value: T
    since: float


class Refreshed(Generic[T]):
    """Keep what `look_up` returns; it may raise IntrospectionUnavailable.

    One caller at a time looks it up. The others use the kept value if `may_stand_in` returns True for it, and wait
    otherwise: that a thing is unknown must have been found out less than KEPT_FOR seconds ago.
    """

    def __init__(self, look_up: Callable[[], T], *, may_stand_in: Callable[[T], bool]) -> None:
        self._look_up, self._may_stand_in = look_up, may_stand_in
        self._lock = Lock()
        self._kept: _Kept[T] | None = None
        self._failure: _Kept[IntrospectionUnavailable] | None = None
        self._epoch = 0

    @property
    def is_fresh(self) -> bool:
        """Whether `get` returns without looking up or waiting."""
        return self._fresh() is not None

    def get(self) -> T:
        """Return the value, looked up if the kept one is old; raises IntrospectionUnavailable."""
        kept = self._fresh()
        if kept is not None:
            return kept.value
        stand_in = self._stand_in()
        if not self._lock.acquire(blocking=stand_in is None):
            return stand_in.value  # type: ignore[union-attr]  # a caller without one waits
        try:
            kept = self._fresh()
            return self._renew() if kept is None else kept.value
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Look it up for the next caller, also if a look-up is under way: it may have read what was there before."""
        self._epoch += 1
        self._kept = self._failure = None

    def _renew(self) -> T:
        if self._failure is not None and is_within(self._failure.since, monotonic(), KEPT_FOR):
            return self._without_look_up(self._failure.value)
        while True:
            epoch, now = self._epoch, monotonic()
            try:
                value = self._look_up()
            except IntrospectionUnavailable as failure:
                self._failure = _Kept(failure.fresh(), monotonic())
                return self._without_look_up(failure)
            if epoch == self._epoch:
                self._kept, self._failure = _Kept(value, now), None
                return value

    def _without_look_up(self, failure: IntrospectionUnavailable) -> T:
        stand_in = self._stand_in()
        if stand_in is None:
            raise failure.fresh()
        return stand_in.value

    def _fresh(self) -> _Kept[T] | None:
        kept = self._kept
        return kept if kept is not None and is_within(kept.since, monotonic(), KEPT_FOR) else None

    def _stand_in(self) -> _Kept[T] | None:
        kept = self._kept
        if kept is None or not self._may_stand_in(kept.value):
            return None
        return kept if is_within(kept.since, monotonic(), STANDS_IN_FOR) else None
