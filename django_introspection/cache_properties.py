"""The properties of the entries of CACHES, as far as their settings and classes show them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.db import BaseDatabaseCache, DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.utils.module_loading import import_string

ENOUGH_ENTRIES = 100_000
"""The least MAX_ENTRIES of a cache that must not forget; Django's default is 300."""

CHANNEL_PACKAGES = ("django_redis", "django_valkey")
"""Packages whose caches give their client away, as Django's own cache for Redis does."""


def is_private_cache(alias: str) -> bool:
    """Return whether a cache keeps entries from other processes, or keeps none."""
    return issubclass(_class_of(alias), (LocMemCache, DummyCache))


def forgetting_problem(alias: str) -> str | None:
    """Return why a cache can forget an entry before its time, or add it twice; None if no reason is known."""
    cache_class = _class_of(alias)
    if issubclass(cache_class, DummyCache):
        return "keeps nothing"
    if issubclass(cache_class, LocMemCache):
        return "is not shared with other processes"
    if issubclass(cache_class, FileBasedCache):
        return "can add an entry twice, because its add() is not atomic"
    if _reads_from_replicas(alias):
        return "reads from replicas, which may not have the last entries"
    largest = _max_entries(alias, 300 if issubclass(cache_class, DatabaseCache) else ENOUGH_ENTRIES)
    return f"deletes entries when it has {largest} (MAX_ENTRIES)" if largest < ENOUGH_ENTRIES else None


def may_evict(alias: str) -> bool:
    """Return whether the server of a cache may evict entries, which no setting of Django says."""
    return forgetting_problem(alias) is None and not issubclass(_class_of(alias), DatabaseCache)


def is_database_cache(alias: str) -> bool:
    """Return whether a cache is a table of a database."""
    return issubclass(_class_of(alias), BaseDatabaseCache)


def use_problem(alias: str) -> str | None:
    """Return why a cache cannot be used at all: its class or its package is missing. None if both are there."""
    try:
        cache_class = import_string(settings.CACHES[alias]["BACKEND"])
    except Exception as error:  # noqa: BLE001 - whatever a module raises on import, this setting is wrong
        return f"cannot be imported ({type(error).__name__})"
    if issubclass(cache_class, RedisCache) and find_spec("redis") is None:
        return "needs the package redis: pip install redis"
    try:
        caches[alias]
    except ImportError as error:
        return f"needs the package {error.name}"
    except Exception:  # noqa: BLE001 - each cache has errors of its own, and one that does not answer is no mistake
        return None
    return None


def has_channels(alias: str) -> bool:
    """Return whether a cache is Django's own for Redis, django-redis or django-valkey, on one server that publishes."""
    if str(settings.CACHES[alias].get("OPTIONS", {}).get("CLIENT_CLASS", "")).endswith("ShardClient"):
        return False
    bases = _class_of(alias).__mro__
    return RedisCache in bases or any(base.__module__.partition(".")[0] in CHANNEL_PACKAGES for base in bases)


def may_hang(alias: str) -> bool:
    """Return whether a Redis or Valkey cache waits for its server without an end."""
    if not _is_redis(alias):
        return False
    if any("socket_timeout" in parse_qs(urlsplit(str(url)).query) for url in _locations(alias)):
        return False
    options = settings.CACHES[alias].get("OPTIONS", {})
    named = {**options, **options.get("CONNECTION_POOL_KWARGS", {})}
    given = {str(key).lower(): value for key, value in named.items()}
    return given.get("socket_timeout", _default_timeout()) is None


def _is_redis(alias: str) -> bool:
    """Return whether the class of a cache names Redis or Valkey."""
    name = f"{_class_of(alias).__module__}.{_class_of(alias).__qualname__}".lower()
    return "redis" in name or "valkey" in name


def _reads_from_replicas(alias: str) -> bool:
    """Return whether a Redis or Valkey cache writes to its first server and reads from the others.

    Django's cache and the packages like it do so with more than one LOCATION. Some have a client class for shards, of
    which each has its own entries, and one for Sentinel that looks for the replicas itself.
    """
    if not _is_redis(alias):
        return False
    client = str(settings.CACHES[alias].get("OPTIONS", {}).get("CLIENT_CLASS", ""))
    if client.endswith("SentinelClient"):
        return True
    return len(_locations(alias)) > 1 and not client.endswith("ShardClient")


def _default_timeout() -> Any:
    """Return the timeout of redis-py or valkey-py if none is given: only newer versions have one."""
    for module in ("redis.connection", "valkey.connection"):
        try:
            return signature(import_module(module).AbstractConnection).parameters["socket_timeout"].default
        except (ImportError, AttributeError, KeyError):
            continue
    return None


def _locations(alias: str) -> list[Any]:
    location = settings.CACHES[alias].get("LOCATION", "")
    return list(location) if isinstance(location, (list, tuple, set)) else re.split("[;,]", str(location))


def _max_entries(alias: str, default: int) -> int:
    """Return MAX_ENTRIES as Django reads it."""
    entry: Mapping[str, Any] = settings.CACHES[alias]
    value = entry.get("MAX_ENTRIES", entry.get("OPTIONS", {}).get("MAX_ENTRIES", default))
    try:
        return int(value)
    except (TypeError, ValueError):  # Django uses its own default then
        return 300


def _class_of(alias: str) -> type[Any]:
    """Return the class of a cache; `object` for one that `use_problem` reports."""
    try:
        cache_class = import_string(settings.CACHES[alias]["BACKEND"])
    except Exception:  # noqa: BLE001 - whatever a module raises on import
        return object
    return cache_class if isinstance(cache_class, type) else object
