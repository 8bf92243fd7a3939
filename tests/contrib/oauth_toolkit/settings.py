"""A project that runs django-oauth-toolkit, with our endpoint over its tables."""

from __future__ import annotations

from typing import Any

from tests import services
from tests.settings import *  # noqa: F403
from tests.settings import AUDIENCE, INSTALLED_APPS, ISSUER

INSTALLED_APPS = [*INSTALLED_APPS, "oauth2_provider"]
ROOT_URLCONF = "tests.contrib.oauth_toolkit.urls"
DATABASES = {"default": services.database("oauth_toolkit")}
LOGIN_URL = "/admin/login/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

OAUTH2_PROVIDER: dict[str, Any] = {
    "SCOPES": {"orders:read": "Read orders", "orders:write": "Write orders", "introspection": "Introspect"},
    "DCR_ENABLED": True,
}
TOKEN_INTROSPECTION: dict[str, Any] = {
    "ISSUER": ISSUER,
    "BACKENDS": {
        "default": {
            "BACKEND": "django_introspection.contrib.oauth_toolkit.OAuthToolkitBackend",
            "OPTIONS": {"audience": None},
        },
        "orders": {
            "BACKEND": "django_introspection.contrib.oauth_toolkit.OAuthToolkitBackend",
            "OPTIONS": {"audience": AUDIENCE},
        },
    },
    "INTROSPECTION_BACKEND": "default",
    "CLIENT_SOURCES": ["django_introspection.contrib.oauth_toolkit.OAuthToolkitClients"],
}
