"""One operation per key at a time in this process; whoever comes meanwhile waits for its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from ..protocol.errors import IntrospectionUnavailable
from .deadline import seconds_left
from .steps import Step, Steps, arun, run

T = TypeVar("T")


class CallResult(Generic[T]):
    """How a flight ended: with a value, with a failure, or given up by who led it."""

    def __init__(self, value: T | None = None, failure: IntrospectionUnavailable | None = None) -> None:
        self._value, self._failure = value, failure

    def result(self) -> T:
        """Return the value; each caller gets a failure of its own, since a traceback belongs to one of them."""
        if self._failure is not None:
            raise self._failure.fresh()
        return self._value  # type: ignore[return-value] # a flight without a failure has its value


@dataclass(eq=False, slots=True)
class _Flight:
    """A flight of threads; without an outcome, who led it gave up and another takes over."""

    landed: Event = field(default_factory=Event)
    outcome: CallResult[Any] | None = None


class SingleFlight:
    """The flights of one backend: threads share theirs, and so do the tasks of one event loop."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._of_threads: dict[Any, _Flight] = {}
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Any, asyncio.Future[Any]]] = (
            WeakKeyDictionary()
        )

    def call_once(self, key: Any, steps: Callable[[], Steps[T]]) -> Step[T]:
        """Return the step that does `steps()`, or waits until somebody else has done it for the same key.

        Whoever waits does so by its own deadline. A cancelled leader hands over; one that failed gives everybody who
        waits a fresh IntrospectionUnavailable.
        """
        return _Once(self, key, steps)

    def join(self, key: Any) -> tuple[_Flight, bool]:
        """Return the flight of threads for a key, and whether the caller leads it."""
        with self._lock:
            flight = self._of_threads.get(key)
            if flight is not None:
                return flight, False
            flight = self._of_threads[key] = _Flight()
            return flight, True

    def land(self, key: Any, flight: _Flight, outcome: CallResult[Any] | None) -> None:
        """End a flight of threads."""
        flight.outcome = outcome
        with self._lock:
            del self._of_threads[key]
        flight.landed.set()

    def on_loop(self) -> dict[Any, asyncio.Future[Any]]:
        """Return the flights of the running event loop."""
        with self._lock:
            return self._of_loops.setdefault(asyncio.get_running_loop(), {})


class _Once(Step[T]):
    def __init__(self, flights: SingleFlight, key: Any, steps: Callable[[], Steps[T]]) -> None:
        self._flights, self._key, self._steps = flights, key, steps

    def run(self) -> T:
        while True:
            flight, leads = self._flights.join(self._key)
            if leads:
                return self._lead(flight)
            if not flight.landed.wait(seconds_left()):
                raise IntrospectionUnavailable("the deadline has passed: Timeout")
            if flight.outcome is not None:
                result: T = flight.outcome.result()
                return result

    async def arun(self) -> T:
        flights = self._flights.on_loop()
        while True:
            future = flights.get(self._key)
            if future is None:
                return await self._alead(flights)
            await asyncio.wait([future], timeout=seconds_left())
            if not future.done():
                raise IntrospectionUnavailable("the deadline has passed: Timeout")
            if not future.cancelled():
                result: T = future.result().result()
                return result

    def _lead(self, flight: _Flight) -> T:
        outcome: CallResult[T] | None = None
        try:
            value = run(self._steps())
            outcome = CallResult(value)
        except IntrospectionUnavailable as failure:
            outcome = CallResult(failure=failure)
            raise
        finally:
            self._flights.land(self._key, flight, outcome)
        return value

    async def _alead(self, flights: dict[Any, asyncio.Future[Any]]) -> T:
        future = flights[self._key] = asyncio.get_running_loop().create_future()
        try:
            value = await arun(self._steps())
            future.set_result(CallResult(value))
        except IntrospectionUnavailable as failure:
            future.set_result(CallResult(failure=failure))
            raise
        finally:
            del flights[self._key]
            future.cancel()  # changes nothing where there is an outcome
        return value
