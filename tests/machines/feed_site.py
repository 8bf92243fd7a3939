"""The authorization server whose feed two resource servers follow, on PostgreSQL."""

from __future__ import annotations

import os
from typing import Any

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as EVERY_APP

INSTALLED_APPS = [
    "django_introspection.revocation_feed" if app == "tests.feed_app.QuietFeed" else app for app in EVERY_APP
]
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": os.environ["PORT"],
        "NAME": "postgres",
        "USER": "postgres",
        "CONN_MAX_AGE": 60,
    }
}
TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "REVOCATION_FEED": {"MAX_WAITING": 2}}  # type: ignore[name-defined]  # noqa: F405
