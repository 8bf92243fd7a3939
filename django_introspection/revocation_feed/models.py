"""The tables of the feed: the ends of tokens in the order in which they became visible.

A row is written in the transaction that ends its token, and has no position. After the commit it is given one by
`positions.give`, one batch at a time. So the order of positions is the order in which readers see the rows, and no
reader passes a row that is committed later.
"""

from __future__ import annotations

from secrets import token_hex

from django.db import models

from ..models.fields import DigestField, InstantField, now
from ..protocol.identifiers import MAX_CLIENT_ID

MARK = 8
"""Characters of a mark."""


def new_mark() -> str:
    """Return a random mark, by which a position of one history is told from the same one of another history."""
    return token_hex(MARK // 2)


class Feed(models.Model):
    """The one row that orders the feed: its identity, and the last position with its mark."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    epoch = models.CharField(max_length=MARK, default=new_mark)
    position = models.BigIntegerField(default=0)
    mark = models.CharField(max_length=MARK, default=new_mark)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.epoch}:{self.position}"


class Ending(models.Model):
    """The end of one access token, or its return after its client or user was enabled.

    The rows of one batch share a position. `client_id` and `audience` decide which callers hear of it; they are None
    for tokens of other packages, of which every caller that may introspect hears.
    """

    digest = DigestField(db_index=True)
    is_return = models.BooleanField(default=False)
    expires_at = InstantField(db_index=True)
    recorded_at = InstantField(default=now)
    client_id = models.CharField(max_length=MAX_CLIENT_ID, null=True)  # noqa: DJ001 - None is unknown
    audience = models.JSONField(null=True)
    position = models.BigIntegerField(null=True, db_index=True)
    mark = models.CharField(max_length=MARK, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)
