"""The order in which rows are locked.

Who writes several rows in one transaction locks them in the order of their keys first. A statement locks its rows in
the order in which it happens to find them: two statements about the same rows could each wait for the other for ever,
and a database ends one of them with an error.
"""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models import QuerySet

BATCH = 5000
"""Keys of one statement."""


def lock_in_order(rows: QuerySet[Any], after: Any = None) -> Any:
    """Lock rows of one table, those after a key alone if one is given, and return the last key that was locked.

    Call it in a transaction. Choose the rows by their keys, or by their client or user: MariaDB locks an entry of the
    index that finds a row before the row itself, and who changes the row locks them in the opposite order. SQLite has
    one writer at a time, and nothing to lock.
    """
    if not connections[rows.db].features.has_select_for_update:
        return None
    keys = rows.select_for_update().order_by("pk").values_list("pk", flat=True)
    while page := list((keys if after is None else keys.filter(pk__gt=after))[:BATCH]):
        after = page[-1]
        if len(page) < BATCH:
            break
    return after
