"""Rows made by the database itself, as they would be after three months of a busy authorization server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from django_introspection.models import Client

CLIENTS = 2000
USERS = 50_000
DAYS = 90

_USERS = f"""
INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)
SELECT 'person-' || i, '!', false, '', '', '', false, i %% 1000 <> 0, now() FROM generate_series(1, {USERS}) AS i
"""  # noqa: S608 - numbers of our own
_TOKENS = f"""
INSERT INTO introspection_token
    (id, digest, kind, client_id, user_id, grant_id, scope, audience, members,
     issued_at, not_before, expires_at, revoked_at, revoked_by, rotated_at, predecessor_id, grant_expires_at)
SELECT
    (lpad(to_hex(issued_at * 1000), 12, '0') || '7' || substr(hex, 1, 3) || '8' || substr(hex, 4, 15))::uuid,
    sha256(i::text::bytea),
    CASE WHEN is_refresh THEN 'refresh' ELSE 'access' END,
    (SELECT min(id) FROM introspection_client) + floor(power(share, 3) * {CLIENTS}),
    CASE WHEN i %% 3 > 0 THEN (SELECT min(id) FROM auth_user) + i %% {USERS} END,
    md5((i / 4)::text)::uuid, 'orders:read', '["https://api.example.com/orders"]', '{{}}',
    issued_at,
    CASE WHEN i %% 20000 = 0 THEN issued_at + 30 * 86400 END,
    issued_at + CASE WHEN is_refresh THEN 14 * 86400 ELSE 3600 END,
    CASE WHEN i %% 3 = 0 THEN issued_at + 900 END,
    CASE WHEN i %% 3 = 0 THEN 'operator root' ELSE '' END,
    NULL, NULL,
    CASE WHEN is_refresh THEN issued_at + 30 * 86400 END
FROM (
    SELECT i, i %% 4 = 0 AS is_refresh, md5(i::text) AS hex, random() AS share,
        (extract(epoch FROM now())::bigint - {DAYS * 86400} + (i * {DAYS * 86400}::bigint) / %(rows)s) AS issued_at
    FROM generate_series(1, %(rows)s) AS i
) AS made
"""  # noqa: S608 - numbers of our own


def fill(rows: int, using: str = DEFAULT_DB_ALIAS) -> None:
    """Make clients, users and so many tokens."""
    Client.objects.using(using).bulk_create(
        Client(client_id=f"client-{number}", client_name=f"Client {number}", is_active=number % 500 != 0)
        for number in range(1, CLIENTS + 1)
    )
    with connections[using].cursor() as cursor:
        cursor.execute(_USERS, {})
        cursor.execute(_TOKENS, {"rows": rows})


@contextmanager
def without_indexes(table: str = "introspection_token", using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Take the indexes and constraints of a table away while it is filled, and make the same ones again."""
    with connections[using].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} SET UNLOGGED")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        constraints = _all(
            cursor,
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass "
            "AND contype IN ('f', 'u', 'p') ORDER BY contype = 'f' DESC",
            table,
        )
        for name, _definition in constraints:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        indexes = _all(cursor, "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", table)
        for name, _definition in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        yield
        for name, definition in reversed(constraints):
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        for _name, definition in indexes:
            cursor.execute(definition)


def _all(cursor: Any, query: str, *values: str) -> list[tuple[str, str]]:
    cursor.execute(query, values)
    return list(cursor.fetchall())
