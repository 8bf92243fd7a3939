"""One operation per key at a time in this process; callers that come before it starts share its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event, Lock
from typing import Any, Generic, TypeVar

from ..protocol.errors import IntrospectionUnavailable
from .deadline import DeadlinePassed, seconds_left
from .loop_local import LoopLocal
from .steps import Step, Steps, arun, run

T = TypeVar("T")


class CallResult(Generic[T]):
    """How a flight ended: with a value or with a failure."""

    def __init__(self, value: T | None = None, failure: IntrospectionUnavailable | None = None) -> None:
        self._value, self._failure = value, failure

    def result(self) -> T:
        """Return the value; each caller gets a failure of its own, since a traceback belongs to one of them."""
        if self._failure is not None:
            raise self._failure.fresh()
        return self._value  # type: ignore[return-value] # a flight without a failure has its value


class _Flight:
    """One run of an operation. Without an outcome its leader gave up, and a caller that waits takes over.

    `next` is the flight that a caller started who had waited for this one: the others share that one, even if it has
    landed before they woke up.
    """

    def __init__(self, landed: Event | asyncio.Event) -> None:
        self.landed: Any = landed
        self.outcome: CallResult[Any] | None = None
        self.next: _Flight | None = None


class _Flights(dict[Any, _Flight]):
    """The flights under way, by key."""


class SingleFlight:
    """The flights of one backend: threads share theirs, and so do the tasks of one event loop.

    By default, a caller does not share a flight that was under way when it came: the outcome may be older than a
    revocation which this caller's request follows. It waits for the landing, and shares the next one.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._of_threads = _Flights()
        self._of_loops: LoopLocal[_Flights] = LoopLocal()

    def call_once(
        self,
        key: Any,
        steps: Callable[[], Steps[T]],
        *,
        may_be_older: bool = False,
        shared: Callable[[T], None] | None = None,
    ) -> Step[T]:
        """Return the step that does `steps()`, or waits until another caller has done it for the same key.

        With `may_be_older`, the caller also shares a flight that is under way. A caller waits until its own deadline. A
        leader that is cancelled or runs out of time hands over; if it fails, each caller that shares the flight gets a
        fresh IntrospectionUnavailable. `shared` is called with the value that a caller got from another one.
        """
        return _Once(self, key, steps, may_be_older, shared)

    def board(self, flights: _Flights, key: Any, seen: _Flight | None, landed: Event | asyncio.Event) -> _Flight:
        """Return the flight to wait for, or a new one with this `landed` if the caller must lead it.

        `seen` is the flight that the caller has waited for already.
        """
        with self._lock:
            if seen is not None and seen.next is not None:
                return seen.next
            flight = flights.get(key)
            if flight is None:
                flight = flights[key] = _Flight(landed)
            if seen is not None:
                seen.next = flight
            return flight

    def land(self, flights: _Flights, key: Any, outcome: CallResult[Any] | None) -> None:
        """End the flight that is under way."""
        with self._lock:
            flight = flights.pop(key)
        flight.outcome = outcome
        flight.landed.set()

    def of_threads(self) -> _Flights:
        """Return the flights of threads."""
        return self._of_threads

    def of_loop(self) -> _Flights:
        """Return the flights of the running event loop."""
        flights = self._of_loops.get()
        return self._of_loops.set(_Flights()) if flights is None else flights


class _Once(Step[T]):
    def __init__(
        self,
        flights: SingleFlight,
        key: Any,
        steps: Callable[[], Steps[T]],
        may_be_older: bool,
        shared: Callable[[T], None] | None,
    ) -> None:
        self._flights, self._key, self._steps = flights, key, steps
        self._may_be_older, self._shared = may_be_older, shared

    def run(self) -> T:
        seen: _Flight | None = None
        flights, landed = self._flights.of_threads(), Event()
        while True:
            flight = self._flights.board(flights, self._key, seen, landed)
            if flight.landed is landed:
                return self._lead(flights)
            if not flight.landed.wait(seconds_left()):
                raise DeadlinePassed("the deadline has passed: Timeout")
            if (seen is not None or self._may_be_older) and flight.outcome is not None:
                return self._share(flight.outcome)
            seen = flight

    async def arun(self) -> T:
        seen: _Flight | None = None
        flights, landed = self._flights.of_loop(), asyncio.Event()
        while True:
            flight = self._flights.board(flights, self._key, seen, landed)
            if flight.landed is landed:
                return await self._alead(flights)
            try:
                async with asyncio.timeout(seconds_left()):
                    await flight.landed.wait()
            except TimeoutError:
                raise DeadlinePassed("the deadline has passed: Timeout") from None
            if (seen is not None or self._may_be_older) and flight.outcome is not None:
                return self._share(flight.outcome)
            seen = flight

    def _share(self, outcome: CallResult[T]) -> T:
        value = outcome.result()
        if self._shared is not None:
            self._shared(value)
        return value

    def _lead(self, flights: _Flights) -> T:
        outcome: CallResult[T] | None = None
        try:
            value = run(self._steps())
            outcome = CallResult(value)
        except IntrospectionUnavailable as failure:
            outcome = _shared(failure)
            raise
        finally:
            self._flights.land(flights, self._key, outcome)
        return value

    async def _alead(self, flights: _Flights) -> T:
        outcome: CallResult[T] | None = None
        try:
            value = await arun(self._steps())
            outcome = CallResult(value)
        except IntrospectionUnavailable as failure:
            outcome = _shared(failure)
            raise
        finally:
            self._flights.land(flights, self._key, outcome)
        return value


def _shared(failure: IntrospectionUnavailable) -> CallResult[Any] | None:
    """Return the outcome for callers that share a failed flight; None if only the time of its leader was used up."""
    if isinstance(failure, DeadlinePassed) or not seconds_left():
        return None
    return CallResult(failure=failure)
