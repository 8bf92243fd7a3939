"""Operations that wait, written once for threads and for event loops.

An operation is a generator of steps. Each step knows how to wait in both worlds; `run` and `arun` take an operation
from step to step, and a step that fails raises inside the generator.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from asgiref.sync import AsyncToSync

from .threads import call_in_thread

T = TypeVar("T")
Steps = Generator["Step[Any]", Any, T]


class Step(ABC, Generic[T]):
    """Something to wait for: `value = yield from step` inside an operation."""

    @abstractmethod
    def run(self) -> T:
        """Wait for it in this thread."""

    @abstractmethod
    async def arun(self) -> T:
        """Wait for it on the running event loop."""

    def __iter__(self) -> Steps[T]:
        value: T = yield self
        return value


@dataclass(frozen=True, slots=True)
class Pause(Step[None]):
    """Let some seconds pass."""

    seconds: float

    def run(self) -> None:
        """Sleep."""
        time.sleep(self.seconds)

    async def arun(self) -> None:
        """Sleep, and let others go on."""
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class Blocking(Step[T]):
    """Make a call that knows threads alone, such as one to a cache; its arguments are never shown."""

    call: Callable[[], T] = field(repr=False)

    def run(self) -> T:
        """Call it."""
        return self.call()

    async def arun(self) -> T:
        """Call it in a thread."""
        return await call_in_thread(self.call)


def run(steps: Steps[T]) -> T:
    """Take an operation to its end in this thread."""
    try:
        step = next(steps)
        while True:
            try:
                outcome = step.run()
            except BaseException as error:  # noqa: BLE001 - the operation decides, also what it closes on the way out
                step = steps.throw(error)
            else:
                step = steps.send(outcome)
    except StopIteration as end:
        value: T = end.value
        return value


async def arun(steps: Steps[T]) -> T:
    """Take an operation to its end on the running event loop."""
    try:
        step = next(steps)
        while True:
            try:
                outcome = await step.arun()
            except BaseException as error:  # noqa: BLE001 - as above; a cancellation is one
                step = steps.throw(error)
            else:
                step = steps.send(outcome)
    except StopIteration as end:
        value: T = end.value
        return value


def is_short_lived(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether a loop was made by `async_to_sync` for one call, so that nothing kept for it is used again."""
    return loop in AsyncToSync.loop_thread_executors
