"""Both sides on PostgreSQL through a pool: that of psycopg, or PgBouncer with the settings of the documentation."""

from __future__ import annotations

import os
from typing import Any

from tests.settings import *  # noqa: F403

PREPARED = {"server_side_binding": True, "prepare_threshold": 5}
DATABASES: dict[str, Any]
if "PGBOUNCER" in os.environ:
    from shop.settings import DATABASES  # type: ignore[import-not-found,no-redef]  # written by the test

    options = PREPARED if os.environ["PGBOUNCER"] == "prepared" else {}
    DATABASES["default"] |= {"PORT": os.environ["PORT"], "OPTIONS": options}
else:
    options = {"pool": {"min_size": 2, "max_size": 4, "timeout": 5}, **PREPARED}
    DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "OPTIONS": options, "HOST": "127.0.0.1"}}
    DATABASES["default"]["PORT"] = os.environ["PORT"]
DATABASES["default"] |= {"NAME": "postgres", "USER": "postgres"}
