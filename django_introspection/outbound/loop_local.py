"""Values that belong to an event loop and go with it."""

from __future__ import annotations

import asyncio
from typing import Any, Generic, TypeVar
from weakref import ReferenceType, WeakKeyDictionary, ref

T = TypeVar("T")
_HOUR = 60 * 60


class _Holder:
    """What the timer of a loop refers to: a value, for as long as it is not dropped."""

    def __init__(self, value: Any, owner: LoopLocal[Any]) -> None:
        self.value, self.owner = value, ref(owner)


class LoopLocal(Generic[T]):
    """A value for each event loop, which the loop itself holds.

    Connections, tasks and futures refer to their loop. A dictionary that held them would keep the loop alive, even
    after the loop was closed without `shutdown_asyncgens`.
    """

    def __init__(self) -> None:
        self._holders: WeakKeyDictionary[asyncio.AbstractEventLoop, ReferenceType[_Holder]] = WeakKeyDictionary()

    def get(self) -> T | None:
        """Return the value of the running event loop, or None."""
        holder = self._holder_of(asyncio.get_running_loop())
        return None if holder is None else holder.value

    def set(self, value: T) -> T:
        """Keep a value until the running event loop is closed, and return it."""
        loop, holder = asyncio.get_running_loop(), _Holder(value, self)
        self._holders[loop] = ref(holder)
        _hold(loop, holder)
        return value

    def drop(self) -> None:
        """Give up the value of the running event loop."""
        holder = self._holder_of(asyncio.get_running_loop())
        if holder is not None:
            holder.value = None

    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """Return the event loops that have a value; each is read and dropped on its own loop."""
        return list(self._holders)

    def _holder_of(self, loop: asyncio.AbstractEventLoop) -> _Holder | None:
        kept = self._holders.get(loop)
        return None if kept is None else kept()


def _hold(loop: asyncio.AbstractEventLoop, holder: _Holder) -> None:
    """Let the timers of a loop refer to a value while it has an owner: closing the loop drops them."""
    if holder.value is not None and holder.owner() is not None:
        loop.call_later(_HOUR, _hold, loop, holder)
