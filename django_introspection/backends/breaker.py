"""A circuit breaker: while a server is down, requests fail at once instead of waiting until each has timed out."""

from __future__ import annotations

import math
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import NamedTuple

FAILURES = 5
"""Questions in a row without any reply that raise the suspicion that the server is down."""
OPEN = 5
"""Seconds for which an open circuit asks nothing, unless the server itself has named another time."""
ANSWERED = 1
"""Seconds for which an answered probe rules out a new suspicion: tokens cannot cause more than one probe a second."""


class Admission(NamedTuple):
    """Whether a question may be asked: after `wait` seconds, and if `probes`, only after an answered probe."""

    wait: float = 0
    probes: bool = False


class Breaker:
    """Decide whether the server is asked.

    Any reply to any caller shows that the server is up. Silence and requests for a pause only raise a suspicion,
    because a token can cause both. A probe decides: a question about a token of our own. The circuit opens if it is not
    answered, and closes if the next one is. `changed` is called with True when the circuit opens, else with False.
    `replies` counts the replies.
    """

    def __init__(self, changed: Callable[[bool], None]) -> None:
        self._lock = Lock()
        self._changed = changed
        self.replies = 0
        self._silences = 0
        self._is_suspected = False
        self._probed_at = self._probe_answered_at = -math.inf
        self._open_until: float | None = None

    def admit(self, *, may_probe: bool = True) -> Admission:
        """Return whether the caller may ask; of the callers that come together, one must probe first.

        A caller that has no time for a probe leaves it to another one.
        """
        with self._lock:
            now = monotonic()
            if self._open_until is None and not self._is_suspected:
                return Admission()
            if self._open_until is not None and now < self._open_until:
                return Admission(wait=self._open_until - now)
            probe_ends = self._probed_at + OPEN  # a probe that was cancelled is not waited for any longer
            if now < probe_ends or not may_probe:
                return Admission() if self._open_until is None else Admission(wait=max(probe_ends - now, 1))
            self._probed_at = now
            return Admission(probes=True)

    def replied(self) -> None:
        """Note a reply of the server, of any content."""
        with self._lock:
            self.replies += 1
            self._silences, self._is_suspected = 0, False

    def was_silent(self, *, replies_before: int) -> None:
        """Count a question without a reply, unless another one got a reply after this one was sent."""
        with self._lock:
            if self.replies == replies_before:
                self._silences += 1
                self._suspect(self._silences >= FAILURES)

    def was_busy(self) -> None:
        """Note that the server asked for a pause: it may mean all questions, or this one."""
        with self._lock:
            self.replies += 1
            self._silences = 0
            self._suspect(True)

    def probe_answered(self) -> None:
        """Close the circuit, and end the suspicion."""
        with self._lock:
            was_open, self._open_until = self._open_until is not None, None
            self.replies += 1
            self._silences, self._is_suspected, self._probed_at = 0, False, -math.inf
            self._probe_answered_at = monotonic()
        if was_open:
            self._changed(False)

    def probe_failed(self, *, wait: float = OPEN) -> None:
        """Open the circuit for `wait` seconds."""
        with self._lock:
            was_open, self._open_until = self._open_until is not None, monotonic() + wait
            self._probed_at = -math.inf
        if not was_open:
            self._changed(True)

    def _suspect(self, is_suspected: bool) -> None:
        self._is_suspected |= is_suspected and monotonic() >= self._probe_answered_at + ANSWERED
