"""What all roles share. `EXAMPLE_DIR` holds the SQLite files; the demo sets the other variables."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = Path(os.environ.get("EXAMPLE_DIR", ROOT / "var"))
DIRECTORY.mkdir(parents=True, exist_ok=True)

SECRET_KEY = os.environ.get("SECRET_KEY") or get_random_secret_key()
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": None,
}

ORDERS_API = "https://api.example.com/orders"
"""The resource identifier of the orders API: what tokens for it have in `aud`. A name, wherever it is served."""
ORDERS_API_CLIENT_ID = "orders-api"
SHOP_CLIENT_ID = "shop"
WEB_CLIENT_ID = "order-book"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
