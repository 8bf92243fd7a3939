"""The settings of every server of the run; SOAK_SERVER says which one it is."""

from __future__ import annotations

import os
from typing import Any

from tests import services

from .site import (
    ACCESS_TOKEN_LIFETIME,
    INACTIVE_MAX_AGE,
    INVOICES,
    INVOICES_READ,
    LEEWAY,
    MAX_AGE,
    ORDERS,
    ORDERS_API,
    READ,
    REFRESH_TOKEN_IDLE,
    REFRESH_TOKEN_LIFETIME,
    SECRET,
    TIMEOUT,
    WRITE,
    Server,
)

SERVER = Server(os.environ["SOAK_SERVER"])
ISSUER = os.environ["SOAK_ISSUER"]
SECRET_KEY = "for the soak test alone"
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
ROOT_URLCONF = "tests.soak.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
CACHES: dict[str, Any] = {"default": services.cache()}
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"errors": {"class": "logging.StreamHandler", "level": "ERROR"}},
    "root": {"handlers": ["errors"]},
}
TOKEN_INTROSPECTION: dict[str, Any] = {"REVOCATIONS": {"ALIAS": "default"}, "LEEWAY": LEEWAY}

if SERVER is Server.AUTHORIZATION:
    INSTALLED_APPS = [
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "django_introspection",
    ]
    DATABASES: dict[str, Any] = {
        "default": {**services.database(), "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True},
    }
    TOKEN_INTROSPECTION |= {
        "ISSUER": ISSUER,
        "SIGNING_KEYS": [{"FILE": os.environ["SOAK_SIGNING_KEY"]}],
        "ACCESS_TOKEN_LIFETIME": ACCESS_TOKEN_LIFETIME,
        "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
        "REFRESH_TOKEN_IDLE": REFRESH_TOKEN_IDLE,
        "RESOURCES": {ORDERS: {"SCOPES": [READ, WRITE], "DEFAULT": True}, INVOICES: {"SCOPES": [INVOICES_READ]}},
        "BACKENDS": {
            "default": {
                "BACKEND": "django_introspection.backends.DatabaseBackend",
                "OPTIONS": {"audience": ORDERS},
            }
        },
    }
else:
    INSTALLED_APPS = ["rest_framework", "django_introspection.resource_server"]
    DATABASES = {}
    REST_FRAMEWORK = {"UNAUTHENTICATED_USER": None}
    ASKED: dict[str, Any] = {
        "BACKEND": "django_introspection.backends.RemoteBackend",
        "OPTIONS": {
            "issuer": ISSUER,
            "introspection_url": f"{ISSUER}/oauth/introspect",
            "client_id": ORDERS_API,
            "client_secret": SECRET,
            "audience": ORDERS,
            "timeout": TIMEOUT,
        },
    }
    TOKEN_INTROSPECTION["BACKENDS"] = {
        "default": {**ASKED, "CACHE": {"MAX_AGE": MAX_AGE, "INACTIVE_MAX_AGE": INACTIVE_MAX_AGE}},
        "asked": ASKED,
        "signed": {
            "BACKEND": "django_introspection.backends.JWTBackend",
            "OPTIONS": {"issuer": ISSUER, "audience": ORDERS},
        },
    }
