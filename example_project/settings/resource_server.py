"""The orders API: no clients, no tokens, no users; it asks the authorization server over HTTP."""

from __future__ import annotations

import os

from .base import *  # noqa: F403
from .base import DIRECTORY, ORDERS_API, ORDERS_API_CLIENT_ID

ROOT_URLCONF = "example_project.urls.resource_server"
INSTALLED_APPS = [
    "rest_framework",
    "django_introspection.resource_server",
    "example_project.orders",
]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DIRECTORY / "resource_server.sqlite3"}}

AUTHORIZATION_SERVER = os.environ.get("AUTHORIZATION_SERVER", "http://127.0.0.1:8000")
TOKEN_INTROSPECTION = {
    "BACKENDS": {
        "authorization_server": {
            "BACKEND": "django_introspection.backends.RemoteBackend",
            "OPTIONS": {
                "introspection_url": f"{AUTHORIZATION_SERVER}/oauth/introspect",
                "issuer": AUTHORIZATION_SERVER,
                "client_id": ORDERS_API_CLIENT_ID,
                "client_secret": os.environ.get("ORDERS_API_CLIENT_SECRET", "set ORDERS_API_CLIENT_SECRET"),
                "audience": ORDERS_API,
            },
        },
    },
}
