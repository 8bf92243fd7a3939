"""What every answer of an endpoint is held to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.http import HttpResponse

from tests import endpoints
from tests.factories import ResourceServerFactory

ENDPOINTS = ["/oauth/introspect", "/oauth/token", "/oauth/revoke"]
INACTIVE = b'{"active":false}'
sqlite_only = pytest.mark.skipif(connection.vendor != "sqlite", reason="it is written in the SQL of SQLite")
_DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")


def whole(response: HttpResponse) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Everything of an answer that a caller can compare."""
    return response.status_code, response.content, sorted(response.items())


def assert_inactive(response: HttpResponse) -> None:
    assert (response.status_code, response.content) == (200, INACTIVE)
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"


def assert_refused(response: HttpResponse, status: int, error: str, *hidden: str) -> None:
    """Assert an error answer in the form of RFC 6749 section 5.2 that repeats nothing `hidden`."""
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    assert response["Pragma"] == "no-cache"
    assert response.json().keys() <= {"error", "error_description"}
    assert _DESCRIPTION.fullmatch(response.json().get("error_description", ""))
    assert ("WWW-Authenticate" in response) == (status == 401)
    for value in hidden:
        assert value not in repr(whole(response))


def everything_stored() -> str:
    """Every row of every table, as text."""
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - a name of our own
            rows += cursor.fetchall()
    return repr(rows)


@contextmanager
def without_table(model: type[Model]) -> Iterator[None]:
    """Take a table away for a while; in a test without a transaction of its own, since that can end one."""
    name, lost = map(connection.ops.quote_name, (model._meta.db_table, "lost"))
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {name} RENAME TO {lost}")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE {lost} RENAME TO {name}")


@contextmanager
def refusing(statement: str, model: type[Model]) -> Iterator[None]:
    """Let the database refuse every UPDATE or INSERT of a table, as a full disk does; for SQLite."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TRIGGER full BEFORE {statement} ON {model._meta.db_table} "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        try:
            yield
        finally:
            cursor.execute("DROP TRIGGER full")


def introspecting_client(**metadata: Any) -> Any:
    """Register a resource server that may also get a bearer token to introspect with."""
    return ResourceServerFactory(grant_types=["client_credentials"], scope="introspection", **metadata)


def bearer(registration: Any) -> str:
    """Get a bearer token to introspect with from the token endpoint, as the value of a header."""
    form = {"grant_type": "client_credentials", "scope": "introspection"}
    return f"Bearer {endpoints.post('/oauth/token', form, auth=registration).json()['access_token']}"
