"""A project that runs allauth's identity provider, with our endpoint over its tables."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests import services
from tests.settings import *  # noqa: F403
from tests.settings import AUDIENCE, INSTALLED_APPS, ISSUER, MIDDLEWARE

INSTALLED_APPS = [*INSTALLED_APPS, "allauth", "allauth.account", "allauth.idp", "allauth.idp.oidc"]
MIDDLEWARE = [*MIDDLEWARE, "allauth.account.middleware.AccountMiddleware"]
ROOT_URLCONF = "tests.contrib.allauth.urls"
DATABASES = {"default": services.database("allauth")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "/admin/login/"
IDP_OIDC_PRIVATE_KEY = (
    rsa.generate_private_key(65537, 2048)
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)
IDP_OIDC_INTROSPECTION_ENABLED = True
IDP_OIDC_DCR_ENABLED = True

TOKEN_INTROSPECTION: dict[str, Any] = {
    "ISSUER": ISSUER,
    "BACKENDS": {
        "default": {
            "BACKEND": "django_introspection.contrib.allauth.AllauthBackend",
            "OPTIONS": {"audience": None},
        },
        "orders": {
            "BACKEND": "django_introspection.contrib.allauth.AllauthBackend",
            "OPTIONS": {"audience": AUDIENCE},
        },
    },
    "INTROSPECTION_BACKEND": "default",
    "CLIENT_SOURCES": ["django_introspection.contrib.allauth.AllauthClients"],
}
