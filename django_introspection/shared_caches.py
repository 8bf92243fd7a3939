"""One cache object for all threads and tasks of a process, if it talks to Redis by Django's own cache.

Django makes a cache object for each thread and each task, and each object for Redis has connections of its own: every
async request opened a new one. It also makes a client of redis-py for each call, which takes longer than the call. Both
are safe for threads, and after a fork new ones are made.

Django's cache for Redis unpickles whatever it reads, and one value that it cannot read fails the call for all of them.
These objects store JSON, unless OPTIONS names another serializer, and a value that is not readable is None.
"""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.cache import BaseCache, caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.core.signals import setting_changed
from django.core.signing import JSONSerializer
from django.utils.module_loading import import_string

LONGEST_WAIT = 1
"""Seconds that a call waits for Redis, if OPTIONS names no other time; the client's default is five or none."""

_shared: dict[str, BaseCache | None] = {}


def shared_cache(alias: str) -> BaseCache:
    """Return the cache with this alias, shared if that is possible; raises whatever the cache raises."""
    try:
        cache = _shared[alias]
    except KeyError:
        cache = _shared[alias] = _make(alias)
    return caches[alias] if cache is None else cache


def _make(alias: str) -> BaseCache | None:
    """Return a cache object of our own, None if its class is another one, which might not be safe for threads."""
    entry: dict[str, Any] = dict(settings.CACHES[alias])
    if import_string(entry.pop("BACKEND")) is not RedisCache:
        return None
    waits = {"socket_timeout": LONGEST_WAIT, "socket_connect_timeout": LONGEST_WAIT}
    options = {**waits, **entry.get("OPTIONS", {})}
    entry["OPTIONS"] = {**options, "serializer": _ReadsAnything(options.get("serializer") or JSONSerializer)}
    cache = RedisCache(entry.pop("LOCATION", ""), entry)
    if vars(cache).get("_class") is RedisCacheClient:  # no public name: another Django goes on to make many clients
        vars(cache)["_class"] = _OneClient
    return cache


class _ReadsAnything:
    """Serialize as another serializer does, and read what that one cannot read as None."""

    def __init__(self, serializer: Any) -> None:
        found = import_string(serializer) if isinstance(serializer, str) else serializer
        self._serializer = found() if callable(found) else found
        self.dumps = self._serializer.dumps

    def loads(self, data: bytes) -> Any:
        try:
            return self._serializer.loads(data)
        except Exception:  # noqa: BLE001 - another program wrote it, and each serializer has errors of its own
            return None


class _OneClient(RedisCacheClient):
    """The client of Django's cache that keeps one client of redis-py; with replicas Django chooses for each call."""

    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, **options)
        self._kept = super().get_client() if len(servers) == 1 else None

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        return super().get_client(key, write=write) if self._kept is None else self._kept


def _forget(*, setting: str = "CACHES", **_: Any) -> None:
    if setting == "CACHES":
        _shared.clear()


setting_changed.connect(_forget)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
