"""A circuit breaker: a server that is down is not asked by everybody, one after the other, until each has timed out."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic

FAILURES = 5
"""Failures in a row that open the circuit."""
OPEN = 5
"""Seconds for which an open circuit asks nobody."""


class Breaker:
    """Count failures in a row; open after FAILURES of them, and close again when one probe has got an answer.

    `changed` is told True when the circuit opens and False when it closes.
    """

    def __init__(self, changed: Callable[[bool], None]) -> None:
        self._lock = Lock()
        self._changed = changed
        self._failures = 0
        self._open_until: float | None = None

    def seconds_to_wait(self) -> float:
        """Return for how many seconds nobody may ask; 0 lets the caller ask, as the one probe of an open circuit."""
        with self._lock:
            if self._open_until is None:
                return 0
            left = self._open_until - monotonic()
            if left > 0:
                return left
            self._open_until = monotonic() + OPEN  # while this probe is under way, nobody else asks
            return 0

    def succeeded(self) -> None:
        """Close the circuit: the server has answered."""
        with self._lock:
            was_open, self._open_until, self._failures = self._open_until is not None, None, 0
        if was_open:
            self._changed(False)

    def failed(self, *, wait: float | None = None) -> None:
        """Count a failure; `wait` are the seconds that the server itself asked to be left alone."""
        with self._lock:
            was_open = self._open_until is not None
            self._failures += 1
            if wait is not None:
                self._open_until = monotonic() + wait
            elif was_open or self._failures >= FAILURES:
                self._open_until = monotonic() + OPEN
            opened = self._open_until is not None and not was_open
        if opened:
            self._changed(True)
