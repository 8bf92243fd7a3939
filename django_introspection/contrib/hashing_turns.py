"""Turns to hash a secret: strangers get few, and never those of a client."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from ..protocol.errors import TemporarilyUnavailable, TooManyRequests

CONCURRENCY = 2
"""Secrets of existing clients that a process hashes at a time; of unknown clients it is one."""
PATIENCE = 5
"""Seconds that a request waits for its turn to hash."""
WAITING = 32
"""Requests of one client that wait at a time."""
BURST = 10
"""Failures that an address may have at once."""
INTERVAL = 6
"""Seconds for each failure beyond, and between two turns that a client has whatever its address did."""
REMEMBERED = 10_000
"""Addresses, and clients, that a process counts."""


class HashingTurns:
    """Give out turns to hash.

    An address has a number of failures. When it has used them up, an existing client still has a turn of its own now
    and then, so that strangers who share its address cannot lock it out. One secret of a client is hashed at a time:
    guesses at one client delay no other client, and guesses at clients that do not exist delay none.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._existing, self._unknown = BoundedSemaphore(CONCURRENCY), BoundedSemaphore(1)
        self._clients: dict[str, _Queue] = {}
        self._owed: OrderedDict[str, float] = OrderedDict()
        self._next_own_turn: OrderedDict[str, float] = OrderedDict()

    @contextmanager
    def turn_for_unknown_client(self, address: str) -> Iterator[None]:
        """Hold a turn for a client that does not exist; it counts as a failure of the address.

        Raises TooManyRequests or TemporarilyUnavailable.
        """
        self._admit(address, None)
        with _held(self._unknown):
            yield

    @contextmanager
    def turn(self, address: str, client_id: str, *, is_done: Callable[[], bool] = lambda: False) -> Iterator[bool]:
        """Hold a turn for a client, and yield whether it is needed; if so, it counts as a failure of the address.

        `is_done` returns whether another request has done the work meanwhile: several may come with one right secret.
        Raises TooManyRequests or TemporarilyUnavailable.
        """
        self._admit(address, client_id, count=False)
        with self._queue(client_id) as queue, _held(queue.turn):
            if is_done():
                yield False
                return
            self._admit(address, client_id)
            with _held(self._existing):
                yield True

    def give_back(self, address: str) -> None:
        """Count no failure: the secret was right."""
        with self._lock:
            self._owed[address] = self._owed.get(address, 0) - INTERVAL

    def _admit(self, address: str, client_id: str | None, *, count: bool = True) -> None:
        """Raise TooManyRequests if neither the address nor the client has a turn left, and count the turn otherwise."""
        now = time.monotonic()
        with self._lock:
            owed = max(self._owed.get(address, now), now)
            wait = owed - now - (BURST - 1) * INTERVAL
            if wait <= 0:
                if count:
                    _put(self._owed, address, owed + INTERVAL)
                return
            if client_id is not None:
                own = self._next_own_turn.get(client_id, now) - now
                if own <= 0:
                    if count:
                        _put(self._next_own_turn, client_id, now + INTERVAL)
                    return
                wait = min(wait, own)
        raise TooManyRequests("Client authentication failed too often.", retry_after=math.ceil(wait))

    @contextmanager
    def _queue(self, client_id: str) -> Iterator[_Queue]:
        with self._lock:
            queue = self._clients.setdefault(client_id, _Queue())
            if queue.length > WAITING:
                raise _no_turn()
            queue.length += 1
        try:
            yield queue
        finally:
            with self._lock:
                queue.length -= 1
                if not queue.length:
                    self._clients.pop(client_id, None)


class _Queue:
    """The requests of one client that hash or wait."""

    def __init__(self) -> None:
        self.turn = BoundedSemaphore(1)
        self.length = 0


@contextmanager
def _held(semaphore: BoundedSemaphore) -> Iterator[None]:
    if not semaphore.acquire(timeout=PATIENCE):
        raise _no_turn()
    try:
        yield
    finally:
        semaphore.release()


def _put(counted: OrderedDict[str, float], name: str, value: float) -> None:
    counted[name] = value
    counted.move_to_end(name)
    while len(counted) > REMEMBERED:
        counted.popitem(last=False)


def _no_turn() -> TemporarilyUnavailable:
    return TemporarilyUnavailable("The server cannot authenticate clients at the moment.")
