"""A project that runs authtoken, knox and API keys, with our endpoint over their tables."""

from __future__ import annotations

from typing import Any

from tests import services
from tests.settings import *  # noqa: F403
from tests.settings import AUDIENCE, INSTALLED_APPS, ISSUER

INSTALLED_APPS = [*INSTALLED_APPS, "rest_framework.authtoken", "knox", "rest_framework_api_key"]
ROOT_URLCONF = "tests.contrib.project_tokens.urls"
DATABASES = {"default": services.database("project_tokens")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

_OPTIONS = {"audience": AUDIENCE, "scope": "orders:read"}
TOKEN_INTROSPECTION: dict[str, Any] = {
    "ISSUER": ISSUER,
    "BACKENDS": {
        "authtoken": {"BACKEND": "django_introspection.contrib.authtoken.AuthtokenBackend", "OPTIONS": _OPTIONS},
        "knox": {"BACKEND": "django_introspection.contrib.knox.KnoxBackend", "OPTIONS": _OPTIONS},
        "api_keys": {"BACKEND": "django_introspection.contrib.api_keys.APIKeyBackend", "OPTIONS": _OPTIONS},
        "own": {"BACKEND": "django_introspection.backends.DatabaseBackend", "OPTIONS": {"audience": AUDIENCE}},
        "default": {
            "BACKEND": "django_introspection.backends.RoutingBackend",
            "OPTIONS": {"default": ["own", "authtoken", "knox", "api_keys"]},
        },
    },
    "INTROSPECTION_BACKEND": "default",
}
