"""The order in which rows are locked: clients and users first, then tokens.

A new token locks the rows of its client and its user, as its foreign keys ask for. Who locks a token and then makes
another one, locks these rows before that token, so that it never waits for them while others wait for the token. The
deletion of a client or user locks its row first as well: then nobody makes a token for it any more.

Who writes several rows in one transaction locks them in the order of their keys first. A statement locks its rows in
the order in which it happens to find them: two statements about the same rows could each wait for the other for ever,
and a database ends one of them with an error.
"""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet

BATCH = 5000
"""Keys of one statement."""
_SHARED = {"postgresql": "FOR KEY SHARE", "mysql": "LOCK IN SHARE MODE"}
"""The locks that the databases themselves take for a foreign key."""


def keep(*owners: Model | None, using: str) -> None:
    """Keep clients and users from being deleted until the transaction ends; others may keep them at the same time.

    Call it before the first lock of a token. SQLite has one writer at a time, and nothing to lock.
    """
    connection = connections[using]
    if connection.vendor not in _SHARED:
        return
    tables, conditions, keys = [], [], []
    for number, owner in enumerate(owner for owner in owners if owner is not None):
        pk = owner._meta.pk
        tables.append(f"{connection.ops.quote_name(owner._meta.db_table)} owner{number}")
        conditions.append(f"owner{number}.{connection.ops.quote_name(str(pk.column))} = %s")
        keys.append(pk.get_db_prep_value(owner.pk, connection))
    statement = f"SELECT 1 FROM {', '.join(tables)} WHERE {' AND '.join(conditions)} {_SHARED[connection.vendor]}"  # noqa: S608 - names of tables and columns
    with connection.cursor() as cursor:
        cursor.execute(statement, keys)
        cursor.fetchall()


def lock_owner(owner: Model, using: str) -> None:
    """Lock a client or user that is about to be deleted: no token is being made for it then, and none will be."""
    if connections[using].features.has_select_for_update:
        rows = type(owner)._base_manager.using(using).select_for_update().filter(pk=owner.pk)
        list(rows.values_list("pk"))


def lock_in_order(rows: QuerySet[Any]) -> None:
    """Lock rows of one table.

    Call it in a transaction. Choose the rows by their keys, or by their client or user: MariaDB locks an entry of the
    index that finds a row before the row itself, and who changes the row locks them in the opposite order. SQLite has
    one writer at a time, and nothing to lock.
    """
    if not connections[rows.db].features.has_select_for_update:
        return
    keys = rows.select_for_update().order_by("pk").values_list("pk", flat=True)
    page = list(keys[:BATCH])
    while len(page) == BATCH:
        page = list(keys.filter(pk__gt=page[-1])[:BATCH])
