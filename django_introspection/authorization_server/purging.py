"""Deleting what has expired, a bounded piece at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.db import router, transaction
from django.db.models import Model, QuerySet

from ..models import ClientSecret, Token
from ..models.locking import lock_in_order

BATCH = 500
"""Rows of one transaction."""

Expired = QuerySet[Token] | QuerySet[ClientSecret] | QuerySet[Any]

beside_tokens: dict[type[Model], Callable[[datetime], Expired]] = {}
"""How to find rows of installed apps that are deleted as tokens are: those that expired before a moment.

Each model has a field `expires_at`.
"""


def expired(model: type[Model], before: datetime) -> Expired:
    """Return the rows that expired before a moment.

    A refresh token that was used is among them when its own time is over, not sooner: until then it shows a theft.
    """
    return model._default_manager.using(router.db_for_write(model)).filter(expires_at__lt=before)


def purge(rows: Expired, *, batch: int = BATCH) -> Iterator[int]:
    """Delete rows of `expired` in the order of their expiry, and yield the number of rows after each batch.

    Each batch is a transaction of its own, so that a purge can be stopped and continued at any time. A batch begins
    after the last one: the places of deleted rows stay in an index for a while, and are not read again.
    """
    rest = rows
    while page := list(rest.order_by("expires_at").values_list("pk", "expires_at")[:batch]):
        keys = [pk for pk, _ in page]
        expired_rows: QuerySet[Any] = rows.filter(pk__in=keys)
        with transaction.atomic(using=rows.db):
            lock_in_order(rows.model._default_manager.using(rows.db).filter(pk__in=keys))
            _, by_model = QuerySet.delete(expired_rows)  # without looking for tombstones: what has expired needs none
        yield by_model.get(rows.model._meta.label, 0)
        rest = rows.filter(expires_at__gte=page[-1][1])
