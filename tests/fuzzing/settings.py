"""The project that is fuzzed: both sides, every feature that reads something from outside."""

from __future__ import annotations

from typing import Any

from tests.settings import *  # noqa: F403
from tests.settings import AUDIENCE, ISSUER, TOKEN_INTROSPECTION

ROOT_URLCONF = "tests.fuzzing.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CACHES: dict[str, Any] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
MIDDLEWARE = ["django_introspection.middleware.ProtectedPaths"]
LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"handlers": [], "level": "CRITICAL"}}
_ISSUER_OF_JWTS = {
    "BACKEND": "tests.fuzzing.backends.LocalKeys",
    "OPTIONS": {"issuer": "https://id.example.com", "audience": AUDIENCE},
}
TOKEN_INTROSPECTION = {
    **TOKEN_INTROSPECTION,
    "ISSUER": ISSUER,
    "BACKENDS": {**TOKEN_INTROSPECTION["BACKENDS"], "jwt": _ISSUER_OF_JWTS},
    "RESOURCES": {AUDIENCE: {"SCOPES": ["orders:read", "orders:write"], "DEFAULT": True}},
    "PROTECTED_PATHS": {"/protected/": {"SCOPE": "orders:read"}},
    "TRUSTED_PROXIES": ["127.0.0.1", "10.0.0.0/8"],
    "CLIENT_CERTIFICATES": {"FORM": "rfc9440", "VALIDATED": True},
    "ORIGINS": ["https://api.example.com"],
}
