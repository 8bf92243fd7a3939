"""How fast operations follow each other: as fast as the servers answer, or at a rate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from time import monotonic

from .changes import Changes
from .operations import Operations

Operation = Callable[[], Awaitable[None]]
WAITING = 64
"""Operations under way at a rate; more are not begun until one ends, and counted as late."""


def mix_of(operations: Operations, changes: Changes) -> dict[Operation, int]:
    """Return the operations with their shares of a hundred."""
    return {
        operations.visit: 60,
        operations.introspect_with_secret: 15,
        operations.introspect_with_token: 9,
        operations.forge: 4,
        operations.issue_to_machine: 4,
        operations.log_in: 3,
        changes.refresh: 3,
        changes.revoke: 2,
    }


class Pace:
    """Do operations of a mix, chosen at random."""

    def __init__(self, mix: Mapping[Operation, int], random: Random) -> None:
        self._names, self._weights, self._random = list(mix), list(mix.values()), random
        self.late = 0

    def _choose(self) -> Operation:
        return self._random.choices(self._names, self._weights)[0]

    async def flat_out(self, callers: int, seconds: float) -> float:
        """Let some callers do one operation after the other, and return how many there were in a second."""
        begun, done = monotonic(), 0

        async def work() -> None:
            nonlocal done
            while monotonic() < begun + seconds:
                await self._choose()()
                await asyncio.sleep(0)  # an operation may find nothing to do
                done += 1

        async with asyncio.TaskGroup() as tasks:
            for _ in range(callers):
                tasks.create_task(work())
        return done / (monotonic() - begun)

    async def at_rate(self, rate: float, over: asyncio.Event) -> None:
        """Begin so many operations a second, at random moments, whether the servers keep up or not."""
        due, slots = monotonic(), asyncio.Semaphore(WAITING)

        async def work(operation: Operation) -> None:
            try:
                await operation()
            finally:
                slots.release()

        async with asyncio.TaskGroup() as tasks:
            while not over.is_set():
                due += self._random.expovariate(rate)
                await asyncio.sleep(due - monotonic())
                if slots.locked():
                    self.late += 1
                await slots.acquire()
                due = max(due, monotonic() - 1)  # what could not begin is not made up for
                tasks.create_task(work(self._choose()))
