"""Deleting rows of the feed that no reader needs: their tokens expired long ago, and readers have read on."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.db import Error as DatabaseError
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from ..authorization_server import purging
from ..authorization_server.deferred_work import defer_until_sent
from ..models.fields import now
from .models import Ending
from .reading import NAMED_AFTER_EXPIRY
from .recording import database

logger = logging.getLogger("django_introspection")

EVERY = 60
"""Seconds between two runs in one process."""
SECONDS = 2
"""Seconds after which a run begins no further batch."""
BATCH = 500
"""Rows of one transaction."""
KEPT = 600
"""Seconds for which a position stays after the next one: a reader that waits has it in its cursor."""
_due = [0.0]


def purge_if_due(request: HttpRequest) -> None:
    """Delete some rows after the answer of this request, at most once in EVERY seconds."""
    if time.monotonic() >= _due[0]:
        _due[0] = time.monotonic() + EVERY
        defer_until_sent(request, _purge)


def _purge() -> None:
    try:
        purge()
    except DatabaseError as error:
        logger.warning("expired rows of the feed stay: %s", type(error).__name__)


def purge() -> int:
    """Delete rows that no reader needs, in batches for about SECONDS, and return how many."""
    deleted, end = 0, time.monotonic() + SECONDS
    for number in purging.purge(unneeded(now()), batch=BATCH):
        deleted += number
        if time.monotonic() >= end:
            break
    return deleted


def unneeded(before: datetime) -> QuerySet[Ending]:
    """Return the rows of tokens that expired before a moment, without those that a reader may still need.

    It needs a row while the token is named, and while its cursor may hold the position. A row without a position was
    never read, and when its token is no longer named, no reader needs to read it.
    """
    rows, at = Ending.objects.using(database()), now()
    before = min(before, at - timedelta(seconds=NAMED_AFTER_EXPIRY))
    settled = rows.filter(position__isnull=False, recorded_at__lt=at - timedelta(seconds=KEPT)).order_by("-position")
    passed = settled.values_list("position", flat=True).first() or 0
    return rows.filter(Q(position__lt=passed) | Q(position=None), expires_at__lt=before)
