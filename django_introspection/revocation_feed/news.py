"""News of the feed for the requests that wait in this process: one thread looks for all of them.

It looks every TICK seconds, and sooner after a commit of this process, a NOTIFY of PostgreSQL or a message of Redis.
These only wake it: what a request returns, it reads after its cursor.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from contextlib import suppress

from django.db import Error as DatabaseError
from django.db import connections

from ..notices import listens, stop_listening, wait_for_notice
from . import channel, positions

logger = logging.getLogger("django_introspection")

TICK = 0.2
"""Seconds between two looks."""
IDLE = 30
"""Seconds without a waiting request after which the thread ends."""


class News:
    """Wake waiting requests when the feed has a higher position than theirs."""

    def __init__(self) -> None:
        self._forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    async def wait(self, position: int, seconds: float, using: str) -> bool:
        """Wait until the feed may have a higher position, and return whether it came to that in time."""
        waiter = _LoopWaiter(position)
        self._begin(waiter, using)
        try:
            async with asyncio.timeout(seconds):
                await waiter.woken.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(waiter)
        return True

    def wait_in_thread(self, position: int, seconds: float, using: str) -> bool:
        """Wait like `wait`, in this thread."""
        waiter = _ThreadWaiter(position)
        self._begin(waiter, using)
        try:
            return waiter.woken.wait(seconds)
        finally:
            self._waiting.discard(waiter)

    def arrived(self) -> None:
        """Look at once, if a request waits."""
        self._nudge.set()

    def stop(self) -> None:
        """End the thread: for tests."""
        self._is_stopped = True
        self._nudge.set()
        if self._last is not None:  # it may have ended, and still close its connection
            self._last.join()
        self._listener.join()
        self._forget()

    def _forget(self) -> None:
        """Start anew: after a fork the thread is the parent's, and no thread may be left to release a lock."""
        self._lock, self._nudge = threading.Lock(), threading.Event()
        self._listener = channel.Listener(self.arrived)
        self._waiting: set[_LoopWaiter | _ThreadWaiter] = set()
        self._thread: threading.Thread | None = None
        self._last: threading.Thread | None = None
        self._is_stopped = False

    def _begin(self, waiter: _LoopWaiter | _ThreadWaiter, using: str) -> None:
        with self._lock:
            self._waiting.add(waiter)
            if self._thread is None or not self._thread.is_alive():
                name = "django_introspection feed"
                self._thread = self._last = threading.Thread(
                    target=self._look_on, args=(using,), name=name, daemon=True
                )
                self._thread.start()

    def _look_on(self, using: str) -> None:
        used_at = time.monotonic()
        try:
            while not self._is_stopped:
                if self._waiting:
                    used_at = time.monotonic()
                    self._look(using)
                with self._lock:
                    if not self._waiting and time.monotonic() - used_at > IDLE:
                        self._thread = None
                        return
                self._pause(using)
        finally:
            self._listener.stop()
            stop_listening(using)
            connections.close_all()

    def _look(self, using: str) -> None:
        """Wake who has news; if the database does not answer, wake all, whose own reading then fails."""
        try:
            position = positions.give(using).position
        except DatabaseError as error:
            logger.warning("the feed of revocations cannot be read: %s", type(error).__name__)
            connections[using].close()
            position = None
        for waiter in list(self._waiting):
            if position is None or waiter.position < position:
                waiter.wake()

    def _pause(self, using: str) -> None:
        """Wait for a commit of this process, or of another one if Redis or PostgreSQL can say so."""
        alias = channel.alias_for(using) if self._waiting else None
        if alias is not None:
            self._listener.start(alias)
        if alias is None and self._waiting and listens(using):
            with suppress(DatabaseError):  # the next look says so
                wait_for_notice(using, TICK)
        else:
            self._nudge.wait(TICK)
        self._nudge.clear()


class _LoopWaiter:
    """A request that waits, and the place in the feed that it has read to."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """Wake the request from another thread; its loop may have ended meanwhile."""
        try:
            self._loop.call_soon_threadsafe(self.woken.set)
        except RuntimeError:
            return


class _ThreadWaiter:
    """A thread that waits, and the place in the feed that it has read to."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.woken = threading.Event()

    def wake(self) -> None:
        """Wake the thread from another one."""
        self.woken.set()


news = News()
