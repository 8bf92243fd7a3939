"""Calls to caches that may be down or hang, so that a request loses little time with them.

A cache that failed is left alone for PAUSE seconds. Then one call tries it, and the others go on without it until that
call has ended. A call that is under way for PATIENCE seconds counts as failed for every later call.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakSet

from django.core.cache import BaseCache
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.signals import setting_changed

from .database_caches import InTransaction, call_database_cache
from .shared_caches import shared_cache

logger = logging.getLogger("django_introspection")

PAUSE = 5
"""Seconds for which a cache that failed is left alone."""
PATIENCE = 1
"""Seconds after which a call that is still under way keeps others from waiting as well."""

T = TypeVar("T")


class CacheUnavailable(Exception):
    """The cache failed, or is left alone because it failed a moment ago; the cause has been logged."""


class CacheCalls:
    """Call caches for one purpose, which the log names: `calls.make("default", "get", key)`.

    The purposes do not share their pauses: an error of one, such as a value of the wrong type, must not stop another.
    With `must_last` an error in the request must not undo the calls, so none is made if that could happen.
    """

    def __init__(self, purpose: str, *, level: int = logging.WARNING, must_last: bool = False) -> None:
        self._purpose = purpose
        self._level = level
        self._must_last = must_last
        self._lines: dict[str, _Line] = {}
        _every_purpose.add(self)

    def make(self, alias: str, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the cache with this alias; raises CacheUnavailable."""
        return self.use(alias, lambda cache: getattr(cache, method)(*arguments, **options))

    def use(self, alias: str, work: Callable[[BaseCache], T]) -> T:
        """Let a function make its calls to the cache with this alias; raises CacheUnavailable."""
        line = self._lines.get(alias) or self._lines.setdefault(alias, _Line(self._log))
        call = line.begin()
        try:
            cache = shared_cache(alias)
            if isinstance(cache, BaseDatabaseCache):  # a request with another cache pays for no call more
                result = call_database_cache(cache, work, must_last=self._must_last)
            else:
                result = work(cache)
        except InTransaction as problem:  # no failure of the cache, so that other requests need no pause
            line.end(call)
            logger.log(self._level, "the cache of %s cannot be used here: %s", self._purpose, problem)
            raise CacheUnavailable from None
        except Exception as error:  # noqa: BLE001 - each cache has errors of its own, which may show its password
            line.fail(call, type(error).__name__)
            raise CacheUnavailable from None
        except BaseException:
            line.end(call)
            raise
        line.end(call, succeeded=True)
        return result

    def forget_failures(self) -> None:
        """Call every cache again: for other settings and for a forked process, whose calls are its own."""
        self._lines = {}

    def _log(self, problem: str) -> None:
        logger.log(self._level, "the cache of %s does not answer: %s", self._purpose, problem)


class _Line:
    """The state of one cache: the end of its pause, and the calls under way."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._lock = Lock()
        self._under_way: dict[object, float] = {}
        self._paused_until = -math.inf
        self._has_failed = False

    def begin(self) -> object:
        """Note that a call begins and return its name; raises CacheUnavailable."""
        at = time.monotonic()
        with self._lock:
            if at < self._paused_until:
                raise CacheUnavailable
            if self._under_way and at - min(self._under_way.values()) > PATIENCE:
                self._pause(f"a call takes longer than {PATIENCE} s")
                raise CacheUnavailable
            if self._under_way and self._has_failed:  # one call tries whether the cache is back
                raise CacheUnavailable
            call = object()
            self._under_way[call] = at
            return call

    def end(self, call: object, *, succeeded: bool = False) -> None:
        """Note that a call has ended."""
        with self._lock:
            self._under_way.pop(call, None)
            if succeeded and time.monotonic() >= self._paused_until:
                self._has_failed = False

    def fail(self, call: object, problem: str) -> None:
        """Note that a call has failed; one that others no longer waited for has had its pause."""
        with self._lock:
            if call in self._under_way:
                self._pause(problem)

    def _pause(self, problem: str) -> None:
        self._paused_until = time.monotonic() + PAUSE
        self._has_failed = True
        self._under_way.clear()
        self._log(problem)


class LimitedLog:
    """Log a line about a cache at most once in PAUSE seconds."""

    def __init__(self, log: logging.Logger, level: int) -> None:
        self._log_to, self._level = log, level
        self._next = -math.inf
        _every_purpose.add(self)

    def write(self, line: str, *arguments: object) -> None:
        """Log the line, unless one was logged a moment ago."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PAUSE
            self._log_to.log(self._level, line, *arguments)

    def forget_failures(self) -> None:
        """Log the next line."""
        self._next = -math.inf


_every_purpose: WeakSet[CacheCalls | LimitedLog] = WeakSet()


def _forget_failures(*, setting: str = "CACHES", **_: Any) -> None:
    if setting == "CACHES":
        for each in list(_every_purpose):
            each.forget_failures()


setting_changed.connect(_forget_failures)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_failures)
