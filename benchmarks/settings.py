"""Settings of one process: those of its scenario, or those of all peers in the process that makes the data."""

from __future__ import annotations

from typing import Any

from tests import services

from .inputs import inputs
from .scenarios import BOTH_SIDES, scenario

_own = scenario()
SECRET_KEY = "for benchmarks only, and longer than thirty-two bytes"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "benchmarks.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING_CONFIG = None
MIDDLEWARE: list[str] = []
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
    "rest_framework.authtoken",
    "oauth2_provider",
    "benchmarks",
    *(BOTH_SIDES if _own is None else _own.apps),
]
DATABASES: dict[str, Any] = {"default": {**services.database("benchmarks"), "CONN_MAX_AGE": None}}
if inputs()["database"]:
    DATABASES["default"]["NAME"] = inputs()["database"]
CACHES = {"default": {**services.cache(), "KEY_PREFIX": inputs()["database"] or ""}}
OAUTH2_PROVIDER = {"SCOPES": {"read": "Read", "write": "Write", "introspection": "Introspect"}}
for _change in () if _own is None else _own.settings:
    globals().update(_change(globals()))
