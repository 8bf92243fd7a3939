"""Tombstones: revoked tokens by their identity, in a cache that every process shares, until they would have expired.

The identity of an opaque token is its SHA-256 digest, that of a JWT the one of its signing input, because a signature
can be altered and stay valid. A tombstone outlives its token by LEEWAY, the time for which a resource server may still
take the token.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol

from .cache_calls import CacheCalls, CacheUnavailable
from .conf import introspection_settings
from .protocol.errors import IntrospectionUnavailable
from .setting_values import Revocations

logger = logging.getLogger("django_introspection")

TOMBSTONE = 1
UNAVAILABLE = "the cache of revocations does not answer"
_calls = CacheCalls("revocations", level=logging.ERROR)


class RevocableToken(Protocol):
    """What a tombstone is for: `digest` is the identity."""

    digest: bytes
    expires_at: datetime


def tombstone_key(identity: bytes, place: Revocations) -> str:
    """Return the cache key of a token's tombstone."""
    return place.prefix + identity.hex()


def write_tombstones(tokens: Iterable[RevocableToken]) -> None:
    """Write the tombstones of tokens in one call to the cache; raises IntrospectionUnavailable.

    They share the longest of the lives: a tombstone too long does no harm.
    """
    place = introspection_settings.REVOCATIONS
    tokens = list(tokens)
    if place is None or not tokens:
        return
    left = max(token.expires_at for token in tokens) - datetime.now(UTC)
    timeout = int(left.total_seconds()) + 1 + introspection_settings.LEEWAY
    tombstones = {tombstone_key(token.digest, place): TOMBSTONE for token in tokens}
    try:
        lost = _calls.make(place.alias, "set_many", tombstones, timeout=timeout)
    except CacheUnavailable:
        raise IntrospectionUnavailable(UNAVAILABLE) from None
    if lost:
        logger.error("the cache of revocations did not store every tombstone")
        raise IntrospectionUnavailable(UNAVAILABLE)


def is_revoked(identity: bytes) -> bool:
    """Return whether a token has a tombstone, False without REVOCATIONS; raises IntrospectionUnavailable."""
    place = introspection_settings.REVOCATIONS
    if place is None:
        return False
    try:
        return _calls.make(place.alias, "get", tombstone_key(identity, place)) is not None
    except CacheUnavailable:
        raise IntrospectionUnavailable(UNAVAILABLE) from None
