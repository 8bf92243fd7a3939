"""Tombstones for tokens of allauth's identity provider, which deletes the tokens that it revokes.

Only the hash of a token is kept, so that a JWT cannot be named as caches name it: caches notice its end when they ask
again. `QuerySet.update()` and SQL are not seen: call `write_tombstones` for those.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from ...revocations import Tombstone
from ..stored_times import aware
from ..watching import Watch

ACCESS_TOKEN = "at"
WITHOUT_EXPIRY = timedelta(days=30)
"""The time for which the end of a token without expiry is noted: longer than any cache keeps an answer."""


def connect() -> None:
    """Watch the tokens; calling it again changes nothing."""
    from allauth.idp.oidc.models import Token

    _watch.connect(Token)


def write_tombstones(tokens: Iterable[Any]) -> None:
    """Write the tombstones of tokens that end without a signal; raises IntrospectionUnavailable."""
    _watch.write_tombstones(tokens)


def _tombstone(token: Any) -> Tombstone | None:
    try:
        identity = bytes.fromhex(token.hash)
    except ValueError:  # an adapter with a hash of its own
        return None
    if token.type != ACCESS_TOKEN or not identity:
        return None
    expires_at = datetime.now(UTC) + WITHOUT_EXPIRY if token.expires_at is None else aware(token.expires_at)
    return Tombstone(identity, expires_at)


_watch = Watch(_tombstone, {"type", "hash", "expires_at"})
