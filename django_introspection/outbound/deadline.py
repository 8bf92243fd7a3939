"""A total deadline for a call: the timeouts of an HTTP client bound each wait, not their sum."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from ..protocol.errors import IntrospectionUnavailable
from .steps import Step, Steps, arun, run

T = TypeVar("T")

_ends_at: ContextVar[float] = ContextVar("ends_at")


class DeadlinePassed(IntrospectionUnavailable):
    """The time of this caller is used up; it says nothing about the server, nor about callers with time left."""


class deadline:  # noqa: N801 - used as `with deadline(5):`; a generator would take three times longer
    """Let every wait inside end by the same moment, in this thread or task."""

    __slots__ = ("_seconds", "_token")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._token = _ends_at.set(time.monotonic() + self._seconds)

    def __exit__(self, *_: object) -> None:
        _ends_at.reset(self._token)


def seconds_left() -> float:
    """Return the seconds until the deadline, 0 if it has passed."""
    return max(_ends_at.get() - time.monotonic(), 0)


class Within(Step[T]):
    """Do `steps()` by a deadline of its own: part of an operation that must leave time for the rest."""

    def __init__(self, seconds: float, steps: Callable[[], Steps[T]]) -> None:
        self._seconds, self._steps = seconds, steps

    def run(self) -> T:
        """Do it in this thread."""
        with deadline(self._seconds):
            return run(self._steps())

    async def arun(self) -> T:
        """Do it on the running event loop."""
        with deadline(self._seconds):
            return await arun(self._steps())
