"""A total deadline for a call: the timeouts of an HTTP client bound each wait, not their sum."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends_at: ContextVar[float] = ContextVar("ends_at")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let every wait inside end by the same moment, in this thread or task."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


def seconds_left() -> float:
    """Return the seconds until the deadline, 0 where it has passed."""
    return max(_ends_at.get() - time.monotonic(), 0)
