"""One page of the feed for one caller: what it may hear of after its cursor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from ..authorization_server.policy import may_see
from ..authorization_server.restoring import ended_tokens
from ..models import Client, IntrospectionPolicy
from ..models.fields import now
from ..protocol.token_info import TokenInfo
from ..setting_values import LONGEST_LEEWAY
from . import positions
from .cursors import FeedPlace, Place, TokenPlace, policy_mark, read, write
from .models import Ending, Feed
from .recording import database

ROWS = 5000
"""Rows of one page, more than the rows of one position."""
NAMED_AFTER_EXPIRY = 2 * LONGEST_LEEWAY + 60
"""Seconds for which a token is named after its expiry.

A reader whose clock is behind by its LEEWAY is tolerated, and accepts the token for LEEWAY more by that clock.
"""
IDENTITY = 8
"""Bytes of an identity that are sent."""


@dataclass(slots=True)
class Page:
    """The changes on one page, in their order, and the cursor after them.

    `is_new_start` says that the page begins with the first token that has ended: the cursor was absent or unknown.
    `has_more` says that the next page can be read at once. `recorded_at` is when the first change was recorded.
    """

    cursor: str = ""
    changes: list[tuple[bytes, datetime, bool]] = field(default_factory=list)
    is_new_start: bool = False
    has_more: bool = False
    recorded_at: datetime | None = None

    @property
    def has_news(self) -> bool:
        """Whether a reader gets this page at once."""
        return bool(self.changes) or self.has_more or self.is_new_start

    def age(self, at: datetime) -> int | None:
        """Return the seconds since the first change was recorded, None if that is not known."""
        if self.recorded_at is None or self.is_new_start:
            return None
        return max(int((at - self.recorded_at).total_seconds()), 0)

    def add(self, digest: bytes, expires_at: datetime, *, is_return: bool = False) -> None:
        """Add a change."""
        self.changes.append((digest[:IDENTITY], expires_at, is_return))


def page_for(caller: Client, cursor: str | None) -> Page:
    """Return the page after a cursor, or the first page; raises InvalidRequest and DatabaseError."""
    using, policy, page = database(), policy_mark(caller), Page()
    feed = positions.give(using)
    place = None if cursor is None else _known(read(cursor, policy), feed, using)
    page.is_new_start = place is None
    if isinstance(place, FeedPlace):
        after: Place = _add_rows(page, place, feed, caller, using)
    else:
        after = _add_tokens(page, place, feed, caller)
    page.cursor = write(after, policy)
    return page


def _known(place: Place | None, feed: Feed, using: str) -> Place | None:
    """Return a place if it is in the history of this feed: the marks of another history differ."""
    if not isinstance(place, FeedPlace):
        return place
    if place.epoch != feed.epoch or not 0 <= place.position <= feed.position:
        return None
    if place.position == 0 or (place.position, place.mark) == (feed.position, feed.mark):
        return place
    rows = Ending.objects.using(using).filter(position=place.position, mark=place.mark)
    return place if rows.exists() else None


def _add_tokens(page: Page, place: TokenPlace | None, feed: Feed, caller: Client) -> Place:
    """Add tokens that have ended, and return the place after them: at last the begin of the feed.

    What ends meanwhile is in the feed, which is read after the last of these.
    """
    rest = ended_tokens(expired_for=NAMED_AFTER_EXPIRY)
    if place is not None:
        moment, pk = place
        rest = rest.filter(Q(expires_at__gt=moment) | Q(expires_at=moment, pk__gt=pk), expires_at__gte=moment)
    columns = ("digest", "expires_at", "client__client_id", "audience", "pk")
    rows = list(_own(rest, caller, "client__client_id").order_by("expires_at", "pk").values_list(*columns)[:ROWS])
    for digest, expires_at, client_id, audience, _ in rows:
        if _may_hear(client_id, audience, caller):
            page.add(bytes(digest), expires_at)
    page.has_more = True
    if len(rows) < ROWS:
        return FeedPlace(feed.epoch, 0, feed.epoch)
    return TokenPlace(rows[-1][1], rows[-1][4])


def _add_rows(page: Page, place: FeedPlace, feed: Feed, caller: Client, using: str) -> FeedPlace:
    """Add rows of the feed, those of a position together, and return the place after them."""
    rest = Ending.objects.using(using).filter(position__gt=place.position, position__lte=feed.position)
    rows = list(rest.order_by("position", "pk")[:ROWS])
    last = FeedPlace(feed.epoch, feed.position, feed.mark)
    if len(rows) == ROWS:
        cut = rows[-1].position  # its other rows may be on the next page
        rows = [row for row in rows if row.position != cut]
        page.has_more, last = True, FeedPlace(feed.epoch, rows[-1].position or 0, rows[-1].mark)
    heard = [row for row in rows if _may_hear(row.client_id, row.audience, caller)]
    ended_again = _ended(row.digest for row in heard if row.is_return)
    oldest = now() - timedelta(seconds=NAMED_AFTER_EXPIRY)
    for row in heard:
        if row.expires_at >= oldest and not (row.is_return and row.digest in ended_again):
            page.add(row.digest, row.expires_at, is_return=row.is_return)
    page.recorded_at = min((row.recorded_at for row in heard), default=None)
    return last


def _ended(digests: Iterable[bytes]) -> frozenset[bytes]:
    """Return the tokens that have ended now, whatever was recorded: of two changes at once, either may be first."""
    wanted = list(digests)
    ended = ended_tokens(expired_for=NAMED_AFTER_EXPIRY).filter(digest__in=wanted)
    return frozenset(map(bytes, ended.values_list("digest", flat=True)) if wanted else ())


def _own(rows: Any, caller: Client, field_name: str) -> Any:
    """Leave the tokens of other clients to other callers early, if the policy shows a caller its own alone."""
    if caller.introspection_policy == IntrospectionPolicy.OWN:
        return rows.filter(**{field_name: caller.client_id})
    return rows


def _may_hear(client_id: str | None, audience: Sequence[str] | None, caller: Client) -> bool:
    """Return whether a caller may introspect a token, as the introspection endpoint decides.

    Of a token whose client is not known, each caller that may introspect hears: its identity alone says nothing, and a
    revocation that is left out would be a mistake.
    """
    if client_id is None:
        return True
    return may_see(TokenInfo({"client_id": client_id, "aud": audience or [], "token_type": "Bearer"}), caller)
