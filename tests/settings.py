"""The project that the suite runs in: both sides in one process."""

from __future__ import annotations

from typing import Any

from tests import services

SECRET_KEY = "for tests alone"
USE_TZ = True
TIME_ZONE = "America/New_York"
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
ROOT_URLCONF = "tests.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_introspection",
    "django_introspection.contrib.issuers",
    "tests.feed_app.QuietFeed",
    "django_introspection.security_events",
    "django_introspection.personal_tokens",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
DATABASES: dict[str, Any] = {"default": services.database()}
CACHES: dict[str, Any] = {"default": services.cache()}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_URL = "/static/"
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}  # Django 6.1 asks for it

ISSUER = "https://auth.example.com"
AUDIENCE = "https://api.example.com/orders"
TOKEN_INTROSPECTION: dict[str, Any] = {
    "ISSUER": ISSUER,
    "BACKENDS": {
        "default": {
            "BACKEND": "django_introspection.backends.DatabaseBackend",
            "OPTIONS": {"audience": AUDIENCE},
        },
    },
}
