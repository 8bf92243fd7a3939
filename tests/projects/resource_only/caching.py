"""The same project, which keeps answers and notes revocations in the cache named by `CACHE`."""

from __future__ import annotations

import os
from typing import Any

from tests.projects.resource_only.settings import *  # noqa: F403 - a settings module is its names
from tests.projects.resource_only.settings import TOKEN_INTROSPECTION as WITHOUT_CACHE

CACHES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
    "private": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "shared": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": os.environ["CACHE_DIR"],
    },
    "away": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": "/dev/null/cache",
    },
}
ALIAS = os.environ["CACHE"]
TOKEN_INTROSPECTION: dict[str, Any] = {
    "BACKENDS": {"default": {**WITHOUT_CACHE["BACKENDS"]["default"], "CACHE": {"ALIAS": ALIAS}}},
    "REVOCATIONS": {"ALIAS": ALIAS},
}
SILENCED_SYSTEM_CHECKS = [
    "introspection.E045",
    "introspection.E046",
]  # files stand in for a server that processes share
