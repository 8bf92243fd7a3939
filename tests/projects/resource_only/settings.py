"""A pure resource server: no tables, no users, no database."""

from __future__ import annotations

import os
from typing import Any

SECRET_KEY = "for tests alone"
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "tests.projects.resource_only.urls"
INSTALLED_APPS = ["rest_framework", "django_introspection.resource_server"]
MIDDLEWARE: list[str] = []
DATABASES: dict[str, Any] = {}
REST_FRAMEWORK: dict[str, Any] = {"UNAUTHENTICATED_USER": None}
AUDIENCE = "https://api.example.com/orders"
TOKEN_INTROSPECTION: dict[str, Any] = {
    "BACKENDS": {
        "default": {
            "BACKEND": "django_introspection.backends.RemoteBackend",
            "OPTIONS": {
                "introspection_url": os.environ.get("INTROSPECTION_URL", "https://auth.example.com/introspect"),
                "client_id": "orders-api",
                "client_secret": "the secret of the orders API",
                "audience": AUDIENCE,
            },
        }
    }
}
