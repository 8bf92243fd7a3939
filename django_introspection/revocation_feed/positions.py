"""Giving positions to committed rows, so that the order of positions is the order of visibility.

An auto-incremented key cannot order the feed: of two transactions, the one with the higher key may commit first, and a
reader that passed its key would never see the other. One transaction at a time holds the row of the feed and gives the
next position to the rows that it sees, so a position is never given before an earlier one is committed.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from .models import Ending, Feed, new_mark

BATCH = 500
"""Rows that get one position."""


def give(using: str) -> Feed:
    """Give positions to the committed rows that have none, and return the feed with its last position.

    It must be called outside a transaction, and raises DatabaseError.
    """
    waiting = Ending.objects.using(using).filter(position=None)
    while waiting.exists():
        _give_one(using)
    return current(using)


def current(using: str) -> Feed:
    """Return the feed, which is made at the first call."""
    feed = Feed.objects.using(using).filter(pk=Feed.ONLY).first()
    return feed or Feed.objects.using(using).get_or_create(pk=Feed.ONLY)[0]


def _give_one(using: str) -> None:
    """Give one position. The lock comes first, so that the rows are read as they are when the lock is held."""
    current(using)
    with transaction.atomic(using=using):
        feeds = Feed.objects.using(using)
        feeds.filter(pk=Feed.ONLY).update(position=F("position"))  # SQLite has no other lock than a write
        feed = feeds.get(pk=Feed.ONLY)
        waiting = Ending.objects.using(using).filter(position=None)
        chosen = list(waiting.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not chosen:
            return
        position, mark = feed.position + 1, new_mark()
        Ending.objects.using(using).filter(pk__in=chosen).update(position=position, mark=mark)
        feeds.filter(pk=Feed.ONLY).update(position=position, mark=mark)
