"""The suite really runs on the servers that it was told to run on."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import connection

from tests import services

VENDORS = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mysql"}


@pytest.mark.django_db
def test_the_database_is_the_one_that_was_asked_for() -> None:
    scheme = services.DATABASE_URL.partition(":")[0]

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")

    assert connection.vendor == VENDORS[scheme]


def test_the_cache_is_the_one_that_was_asked_for() -> None:
    cache.set("test-services", "kept", 10)

    assert cache.get("test-services") == "kept"
    assert type(cache).__name__ == "ConnectionProxy"
    assert ("redis" in type(cache._connections["default"]).__module__) is services.CACHE_URL.startswith("redis")
