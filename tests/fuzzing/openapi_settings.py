"""The fuzzed project with its OpenAPI document."""

from __future__ import annotations

from typing import Any

from tests.fuzzing.settings import *  # noqa: F403
from tests.fuzzing.settings import INSTALLED_APPS, TOKEN_INTROSPECTION

INSTALLED_APPS = [*INSTALLED_APPS, "drf_spectacular"]
ROOT_URLCONF = "tests.fuzzing.openapi_urls"
REST_FRAMEWORK: dict[str, Any] = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {"SERVE_INCLUDE_SCHEMA": False}
TOKEN_INTROSPECTION = {
    **TOKEN_INTROSPECTION,
    "THROTTLE": {"FAILURES": 10**9},
    "REVOCATION_FEED": {"MAX_WAITING": 0},
}
