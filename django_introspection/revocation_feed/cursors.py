"""The cursor of a reader: an opaque text that names its place in the feed, and under which policy it got there.

A reader begins with every token that has ended, and goes on with the rows of the feed. A cursor that this server does
not know lets it begin anew: the tables were restored or emptied, or another policy lets it hear of other tokens.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from ..models import Client
from ..protocol.errors import InvalidRequest

MAX_CURSOR = 200
"""Characters."""
_CURSOR = re.compile(r"[A-Za-z0-9.-]+")


class FeedPlace(NamedTuple):
    """A place among the rows of the feed: every row up to this position was delivered."""

    epoch: str
    position: int
    mark: str


class TokenPlace(NamedTuple):
    """A place among the tokens that have ended, in the order of their expiry."""

    expires_at: datetime
    pk: UUID


Place = FeedPlace | TokenPlace


def policy_mark(caller: Client) -> str:
    """Return a mark of the policy that decides which tokens a caller hears of."""
    decides = [caller.client_id, caller.introspection_policy, caller.resources]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


def write(place: Place, policy: str) -> str:
    """Return the cursor of a place."""
    if isinstance(place, FeedPlace):
        return f"f.{place.epoch}.{place.position}.{place.mark}.{policy}"
    return f"t.{int(place.expires_at.timestamp())}.{place.pk.hex}.{policy}"


def position_of(cursor: str, caller: Client) -> int:
    """Return the position that a caller has read to, 0 among the tokens that had ended before."""
    return getattr(read(cursor, policy_mark(caller)), "position", 0)


def read(cursor: str, policy: str) -> Place | None:
    """Return the place of a cursor, None for one that was made otherwise or under another policy.

    Raises InvalidRequest for a text that no server of this kind returns.
    """
    if len(cursor) > MAX_CURSOR or not _CURSOR.fullmatch(cursor):
        raise InvalidRequest("The cursor is malformed.")
    try:
        match cursor.split("."):
            case ["f", epoch, position, mark, of_policy] if of_policy == policy:
                return FeedPlace(epoch, int(position), mark)
            case ["t", seconds, pk, of_policy] if of_policy == policy:
                return TokenPlace(datetime.fromtimestamp(int(seconds), UTC), UUID(hex=pk))
    except (ValueError, OverflowError, OSError):
        return None
    return None
