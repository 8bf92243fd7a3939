"""Both sides, described by drf-spectacular."""

from __future__ import annotations

from typing import Any

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, TOKEN_INTROSPECTION

INSTALLED_APPS = [*INSTALLED_APPS, "drf_spectacular"]
ROOT_URLCONF = "tests.projects.openapi.urls"
REST_FRAMEWORK: dict[str, Any] = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
PARTNER = {
    "BACKEND": "django_introspection.backends.RemoteBackend",
    "OPTIONS": {
        "issuer": "https://partner.example",
        "client_id": "orders-api",
        "client_secret": "secret",
        "audience": "https://api.example.com/orders",
    },
}
TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "BACKENDS": {**TOKEN_INTROSPECTION["BACKENDS"], "partner": PARTNER}}
