"""Notices by which another process wakes this one: NOTIFY of PostgreSQL.

A notice has no content and may be lost. Whoever is woken reads what there is, and reads from time to time without one.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.db import Error as DatabaseError
from django.db import connections

CHANNEL = "introspection_revocations"
_LISTENING = "_introspection_listens"


def notify(alias: str) -> None:
    """Wake every listener when the transaction on a database commits, if it is PostgreSQL; raises DatabaseError."""
    connection = connections[alias]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")


def can_listen(alias: str) -> bool:
    """Return whether a database can wake a process: PostgreSQL with psycopg 3."""
    if connections[alias].vendor != "postgresql":
        return False
    from django.db.backends.postgresql.psycopg_any import is_psycopg3  # needs psycopg

    return bool(is_psycopg3)


def listens(alias: str) -> bool:
    """Listen on the connection of this thread to a database, and return whether that is possible."""
    connection: Any = connections[alias]
    try:
        connection.ensure_connection()
        if connection.vendor != "postgresql" or not callable(getattr(connection.connection, "notifies", None)):
            return False  # the `notifies` of psycopg2 is a list
        if vars(connection).get(_LISTENING) is not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            vars(connection)[_LISTENING] = connection.connection
    except DatabaseError:
        return False
    return True


def wait_for_notice(alias: str, seconds: float) -> None:
    """Wait for a notice on the connection of this thread, `seconds` at most; raises DatabaseError."""
    connection: Any = connections[alias]
    with connection.wrap_database_errors:
        for _ in connection.connection.notifies(timeout=seconds, stop_after=1):
            pass


def stop_listening(alias: str) -> None:
    """Give up the channel and the connection of this thread: a pool would hand it on with the channel."""
    connection: Any = connections[alias]
    if vars(connection).pop(_LISTENING, None) is not None:
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute(f"UNLISTEN {CHANNEL}")
    connection.close()
