"""The same resource server, for tokens that are bound to a key; its processes share a cache."""

from __future__ import annotations

import os

from tests import services

from .settings import *  # noqa: F403

ROOT_URLCONF = "tests.projects.resource_only.proof_urls"
_ON_DISK = {
    "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
    "LOCATION": os.environ.get("CACHE_DIRECTORY", ""),
}
CACHES = {"default": services.cache() if services.CACHE_URL.startswith("redis:") else _ON_DISK}
# These processes run one after the other, which a cache on disk can bear, and a server of a test evicts nothing.
SILENCED_SYSTEM_CHECKS = ["introspection.E046", "introspection.W056"]
