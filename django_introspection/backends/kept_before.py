"""Forgetting what was kept before a feed began anew, in a thread of its own, so that no cache delays the feed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection

from django.db import connections

from ..cache_calls import LimitedLog
from ..protocol.errors import IntrospectionUnavailable

logger = logging.getLogger("django_introspection")


class KeptBefore:
    """Call functions that forget kept answers, until all of them have succeeded.

    The thread of the feed calls `begin` and `go_on`. A forked process goes on with what its parent has not finished.
    """

    def __init__(self, alias: str, forget: Collection[Callable[[], None]]) -> None:
        self._alias, self._forget = alias, forget
        self._begun = self._finished = 0
        self._thread: threading.Thread | None = None
        self._log = LimitedLog(logger, logging.WARNING)

    @property
    def is_left(self) -> bool:
        """Whether some answers of before may still be kept."""
        return self._finished != self._begun

    def begin(self) -> None:
        """Note that what is kept now must be forgotten."""
        self._begun += 1

    def go_on(self) -> None:
        """Try in a thread to forget what is left, unless a thread is trying."""
        if self.is_left and (self._thread is None or not self._thread.is_alive()):
            name = f"django_introspection feed {self._alias} forgets"
            self._thread = threading.Thread(target=self._try, name=name, daemon=True)
            self._thread.start()

    def _try(self) -> None:
        begun = self._begun
        try:
            for forget in list(self._forget):
                forget()
        except IntrospectionUnavailable as problem:
            self._fail(str(problem))
        except Exception as error:  # noqa: BLE001 - `go_on` tries again, whatever went wrong
            self._fail(type(error).__name__)
        else:
            self._finished = begun
        finally:
            connections.close_all()  # those of this thread, for a cache in a database

    def _fail(self, problem: str) -> None:
        self._log.write("kept answers are not used, and not forgotten yet backend=%s: %s", self._alias, problem)
