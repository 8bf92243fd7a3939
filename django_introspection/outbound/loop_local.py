"""Values that belong to an event loop and go with it."""

from __future__ import annotations

import asyncio
from typing import Any, Generic, TypeVar
from weakref import ReferenceType, WeakKeyDictionary, ref

T = TypeVar("T")
_DAY = 24 * 60 * 60


class LoopLocal(Generic[T]):
    """A value for each event loop, which the loop itself holds.

    Connections, tasks and futures refer to their loop. A dictionary that held them would keep the loop alive, even
    after the loop was closed without `shutdown_asyncgens`.
    """

    def __init__(self) -> None:
        self._values: WeakKeyDictionary[asyncio.AbstractEventLoop, ReferenceType[Any]] = WeakKeyDictionary()

    def get(self) -> T | None:
        """Return the value of the running event loop, or None."""
        kept = self._values.get(asyncio.get_running_loop())
        return None if kept is None else kept()

    def set(self, value: T) -> T:
        """Keep a value until the running event loop is closed, and return it."""
        loop = asyncio.get_running_loop()
        self._values[loop] = ref(value)
        _hold(loop, value)
        return value


def _hold(loop: asyncio.AbstractEventLoop, value: object) -> None:
    """Let the timers of a loop refer to a value: closing the loop drops them."""
    loop.call_later(_DAY, _hold, loop, value)
