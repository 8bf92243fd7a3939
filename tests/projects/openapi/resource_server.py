"""A resource server without tables, described by drf-spectacular."""

from __future__ import annotations

from typing import Any

from tests.projects.openapi.full import PARTNER
from tests.projects.resource_only.settings import *  # noqa: F403
from tests.projects.resource_only.settings import INSTALLED_APPS, TOKEN_INTROSPECTION

INSTALLED_APPS = ["drf_spectacular", *INSTALLED_APPS]
ROOT_URLCONF = "tests.projects.openapi.protected"
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}
TOKEN_INTROSPECTION = {"BACKENDS": {**TOKEN_INTROSPECTION["BACKENDS"], "partner": PARTNER}}
