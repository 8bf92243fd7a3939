"""The servers that the suite runs against, by URL in the environment.

`DATABASE_URL`: `sqlite://` (the default, in memory) or `sqlite:////path`, `postgresql://user@host:port/name`, `mysql://user@host:port/name`.
`CACHE_URL`: `locmem://` (the default) or `redis://host:port/number`.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote, urlsplit

DATABASE_URL = os.environ.get("DATABASE_URL") or "sqlite://"
CACHE_URL = os.environ.get("CACHE_URL") or "locmem://"

_ENGINES = {"postgresql": "postgresql", "postgres": "postgresql", "mysql": "mysql", "mariadb": "mysql"}
SQLITE_OPTIONS = {"timeout": 30}
_OPTIONS = {"mysql": {"charset": "utf8mb4"}}


def database(test_name: str | None = None) -> dict[str, Any]:
    """Return the settings of the database; `test_name` keeps the test databases of two projects apart."""
    parts = urlsplit(DATABASE_URL)
    if parts.scheme == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.path[1:] or ":memory:", "OPTIONS": SQLITE_OPTIONS}
    engine = _ENGINES[parts.scheme]
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
        "OPTIONS": _OPTIONS.get(engine, {}),
        "TEST": {"NAME": f"test_introspection_{test_name}"} if test_name else {},
    }


def url_of(name: str) -> str:
    """Return DATABASE_URL with the name of another database on its server."""
    return urlsplit(DATABASE_URL)._replace(path=f"/{name}").geturl()


def cache() -> dict[str, Any]:
    """Return the settings of the cache."""
    if CACHE_URL.startswith("locmem:"):
        # A full cache forgets what tests look for, and the default of 300 entries is full after one purge.
        options = {"MAX_ENTRIES": 100_000}
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": options}
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}
