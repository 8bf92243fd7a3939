"""Both sides on SQLite behind nginx; failures are counted in files, which every process sees."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403
from tests.settings import TOKEN_INTROSPECTION

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": os.environ["COUNTS"]}
}
SILENCED_SYSTEM_CHECKS = ["introspection.E045"]
TOKEN_INTROSPECTION = {
    **TOKEN_INTROSPECTION,
    "TRUSTED_PROXIES": ["127.0.0.1"],
    "ENDPOINTS_DPOP_NONCE": bool(os.environ.get("ENDPOINTS_DPOP_NONCE")),
}
