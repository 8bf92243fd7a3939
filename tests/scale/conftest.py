"""Millions of tokens on PostgreSQL: collected where `make scale` says so (SCALE=1). `ROWS` says how many."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from tests.scale.rows import fill, without_indexes

collect_ignore_glob = [] if os.environ.get("SCALE") else ["test_*.py"]
ROWS = int(os.environ.get("ROWS", "5_000_000"))


@pytest.fixture(scope="session")
def tokens(django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    """So many tokens of 2000 clients, issued within the last 90 days."""
    if connection.vendor != "postgresql":
        pytest.exit("the statements that fill the table are PostgreSQL's: set DATABASE_URL")
    with django_db_blocker.unblock():
        with without_indexes():
            fill(ROWS)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE) introspection_token, introspection_client, auth_user")
    yield ROWS
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE introspection_token, introspection_client, auth_user CASCADE")
