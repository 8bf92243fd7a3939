"""The site that nginx and Caddy ask, with the URL conf of the documentation; tokens are those of another server."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403

ROOT_URLCONF = "shop.urls"
TOKEN_INTROSPECTION = {
    "DPOP_NONCE": True,
    "ORIGINS": ["https://api.example.com"],
    "TRUSTED_PROXIES": ["127.0.0.1"],
    "CLIENT_CERTIFICATES": {
        "HEADER": "X-SSL-Client-Cert",
        "FORM": "pem",
        "VALIDATED": "X-SSL-Client-Verify",
    },
    "BACKENDS": {
        "default": {
            "BACKEND": "django_introspection.backends.RemoteBackend",
            "OPTIONS": {
                "introspection_url": f"{os.environ['AS']}/introspect",
                "client_id": "proxy",
                "client_secret": "secret",
                "audience": None,
                "insecure_http": True,
            },
        },
    },
}
