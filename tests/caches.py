"""Real caches that say what was asked of them, or do not answer."""

from __future__ import annotations

import threading
import time
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.core.signing import JSONSerializer

from tests import services

CALLS: list[str] = []
"""The calls since somebody emptied the list: each is one round trip, as far as Redis is concerned."""


class _Counting:
    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._count("get", *args, **kwargs)

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        return self._count("get_many", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._count("set", *args, **kwargs)

    def set_many(self, *args: Any, **kwargs: Any) -> Any:
        return self._count("set_many", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._count("delete", *args, **kwargs)

    def delete_many(self, *args: Any, **kwargs: Any) -> Any:
        return self._count("delete_many", *args, **kwargs)

    _inside = False

    def _count(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Count a call from outside; a cache in memory answers one call by others of its own."""
        outermost = not self._inside
        if outermost:
            CALLS.append(name)
        self._inside = True
        try:
            return getattr(super(), name)(*args, **kwargs)
        finally:
            self._inside = not outermost


class CountingLocMemCache(_Counting, LocMemCache):
    pass


class CountingRedisCache(_Counting, RedisCache):
    pass


class BrokenCache(LocMemCache):
    """A server that is down."""

    def get(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("the cache at redis://user:password@cache is down")

    get_many = set = set_many = delete = delete_many = add = get


class FullCache(LocMemCache):
    """A server that is out of memory: it answers, and takes no further entry."""

    def add(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("OOM command not allowed when used memory > 'maxmemory'")

    set = set_many = add


class UnreliableCache(LocMemCache):
    """A server that keeps its data and fails in the calls that a test names: `get`, `set` and `delete`.

    With `set_many` it answers which keys it did not store, as Memcached does.
    """

    failing: frozenset[str] = frozenset()

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._answer("get", super().get, *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self._answer("set", super().set, *args, **kwargs)

    def set_many(self, data: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return list(data) if "set_many" in self.failing else super().set_many(data, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return bool(self._answer("delete", super().delete, *args, **kwargs))

    def _answer(self, name: str, method: Any, *args: Any, **kwargs: Any) -> Any:
        if name in self.failing:
            raise ConnectionError(f"the cache at redis://user:password@cache refuses {name}")
        return method(*args, **kwargs)


class HungCache(LocMemCache):
    """A server that takes connections and answers nothing, until its client gives up or the test ends."""

    gives_up_after = 10.0
    released = threading.Event()

    def get(self, *args: Any, **kwargs: Any) -> Any:
        CALLS.append("hung")
        self.released.wait(self.gives_up_after)
        raise TimeoutError("the cache at redis://user:password@cache does not answer")

    get_many = set = set_many = delete = delete_many = add = get


class SlowlyWritingCache(LocMemCache):
    """A server that keeps active answers when it is told to, and does all else at once."""

    told = threading.Event()

    def set(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> None:
        if '"active": true' in str(value):
            CALLS.append("slow set")
            self.told.wait(10)
        super().set(key, value, *args, **kwargs)


class JSONCache(LocMemCache):
    """A cache that stores what Django's JSON serializer can write, as Redis does in our documentation."""

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        value = super().get(key, None, version)
        return default if value is None else JSONSerializer().loads(value)

    def set(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> None:
        super().set(key, JSONSerializer().dumps(value), *args, **kwargs)

    def add(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> bool:
        return super().add(key, JSONSerializer().dumps(value), *args, **kwargs)


def json_only() -> dict[str, Any]:
    """Return the settings of the cache of this run, with the serializer that our documentation shows for Redis."""
    own = services.cache()
    if "redis" in own["BACKEND"]:
        return {**own, "OPTIONS": {"serializer": "django.core.signing.JSONSerializer"}}
    return {**own, "BACKEND": "tests.caches.JSONCache"}


def counting() -> dict[str, Any]:
    """Return the settings of the cache of this run, counting, and forget what was counted."""
    CALLS.clear()
    own = services.cache()
    kind = "Redis" if "redis" in own["BACKEND"] else "LocMem"
    return {**own, "BACKEND": f"tests.caches.Counting{kind}Cache"}


def unreliable() -> dict[str, Any]:
    """Return the settings of a cache in memory that fails when a test says so."""
    options = {"MAX_ENTRIES": 100_000}
    return {"BACKEND": "tests.caches.UnreliableCache", "LOCATION": "unreliable", "OPTIONS": options}


def keys(cache: Any) -> list[str]:
    """Return the keys that a cache holds, as a server's operator would see them."""
    prefix = cache.key_prefix
    if isinstance(cache, LocMemCache):
        return [key for key in cache._cache if key.startswith(f"{prefix}:")]
    client = cache._cache.get_client(None)
    return [key.decode() for key in client.scan_iter(f"{prefix}:*")]


def lives(cache: Any, part: str) -> list[float]:
    """Return the seconds for which a cache goes on to hold each key with this part; Redis has its own clock."""
    found = [key for key in keys(cache) if part in key]
    if isinstance(cache, LocMemCache):
        return [cache._expire_info[key] - time.time() for key in found]
    client = cache._cache.get_client(None)
    return [client.ttl(key) for key in found]


def values(cache: Any) -> list[str]:
    """Return what a cache holds."""
    if isinstance(cache, LocMemCache):
        return [repr(cache._cache[key]) for key in keys(cache)]
    client = cache._cache.get_client(None)
    return [repr(client.get(key)) for key in keys(cache)]


def empty(alias: str = "default") -> None:
    """Let the cache of a test lose what it holds.

    `clear()` would empty the whole database of Redis, in which another process of this run has the data of its test.
    """
    cache: Any = caches[alias]
    cache.delete_many([key.split(":", 2)[2] for key in keys(cache)])
