"""A resource server that stores streams of security events and shows them in the admin, and has no tokens."""

from __future__ import annotations

from tests import settings as full
from tests.projects.resource_only import settings as resource_only

SECRET_KEY = full.SECRET_KEY
USE_TZ = True
ROOT_URLCONF = "tests.projects.resource_only.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = full.TEMPLATES
MIDDLEWARE = full.MIDDLEWARE
TOKEN_INTROSPECTION = resource_only.TOKEN_INTROSPECTION
INSTALLED_APPS = [
    *(app for app in full.INSTALLED_APPS if app.startswith(("django.contrib", "rest_framework"))),
    "django_introspection.resource_server",
    "django_introspection.security_events",
]
