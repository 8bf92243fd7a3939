"""How many requests may wait for news in one process, so that readers never take every worker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from ..conf import introspection_settings

ASGI_WAITING = 100
"""Requests that wait on the event loop, where one costs little memory and no thread."""
THREADED_WAITING = 1
"""Requests that wait in a WSGI process with threads: at least one thread is left for others."""
LONGEST_WAIT = 20
"""Seconds that a request may wait."""
PAUSE = 1
"""Seconds after which a reader asks again if there was no room to wait."""


class Room:
    """The requests of this process that wait."""

    def __init__(self) -> None:
        self._forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    @contextmanager
    def place(self, request: HttpRequest) -> Iterator[bool]:
        """Yield whether a request may wait, and count it until the end of the block."""
        with self._lock:
            has_place = self._waiting < most_waiting(request)
            self._waiting += has_place
        try:
            yield has_place
        finally:
            with self._lock:
                self._waiting -= has_place

    def _forget(self) -> None:
        self._lock, self._waiting = Lock(), 0


def most_waiting(request: HttpRequest) -> int:
    """Return how many requests of this process may wait: MAX_WAITING, or what its kind of server can bear.

    A WSGI process without threads answers nothing else while a request waits, so none waits there.
    """
    most = introspection_settings.REVOCATION_FEED.MAX_WAITING
    if most is not None:
        return most
    if isinstance(request, ASGIRequest):
        return ASGI_WAITING
    return THREADED_WAITING if request.META.get("wsgi.multithread") else 0


room = Room()
