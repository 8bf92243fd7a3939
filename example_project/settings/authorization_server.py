"""The authorization server: clients, tokens, their admin, and one API of its own."""

from __future__ import annotations

import os

from .base import *  # noqa: F403
from .base import DIRECTORY, ORDERS_API

ROOT_URLCONF = "example_project.urls.authorization_server"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_introspection",
    "example_project.orders",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DIRECTORY / "authorization_server.sqlite3"}}
STATIC_URL = "static/"

ISSUER = os.environ.get("AUTHORIZATION_SERVER", "http://127.0.0.1:8000")
TOKEN_INTROSPECTION = {
    "ISSUER": ISSUER,
    "BACKENDS": {
        "default": {
            "BACKEND": "django_introspection.backends.DatabaseBackend",
            "OPTIONS": {"audience": ORDERS_API},
        },
    },
}
