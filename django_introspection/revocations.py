"""Tombstones: revoked tokens by their identity, in a cache that every process shares, until they would have expired.

The identity of an opaque token is its SHA-256 digest, that of a JWT the digest of its signing input, because a
signature can be altered and stay valid. A tombstone outlives its token by LEEWAY, the time for which a resource server
may still accept the token.

A cache can lose its data, and then no tombstone says nothing. The marker in the same cache proves that an authorization
server has written every tombstone since the cache was empty; it is read in the same call as a tombstone.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import Any, Protocol
from zlib import crc32

from django.core.signals import setting_changed

from .cache_calls import CacheCalls, CacheUnavailable, LimitedLog
from .conf import introspection_settings
from .protocol.errors import IntrospectionUnavailable, RevocationsLost
from .setting_values import Revocations

logger = logging.getLogger("django_introspection")

TOMBSTONE = 1
CHANGES = 16
"""Notes of changes that are under way; two at once may share one."""
LONGEST_CHANGE = 60
"""Seconds after which a change that has not ended is taken for one whose process died."""
UNAVAILABLE = "the cache of revocations does not answer"
LOST = (
    "the cache of revocations has lost its data, or no authorization server has written to it yet; "
    "until it has run introspection_token restore-tombstones, no token is accepted because of this cache"
)
_reads = CacheCalls("revocations", level=logging.ERROR)
_writes = CacheCalls("revocations", level=logging.ERROR)
_deletions = CacheCalls("revocations", level=logging.ERROR)
"""Apart, because a server that is full refuses writes, and still answers reads and deletes."""
_lost_log = LimitedLog(logger, logging.ERROR)

write_failed = Event()
"""Set when this process could not write a tombstone: the marker must go until all of them have been written again."""


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting == "CACHES":
        write_failed.clear()


setting_changed.connect(_settings_changed)


class RevocableToken(Protocol):
    """A token that can have a tombstone: `digest` is its identity."""

    digest: bytes
    expires_at: datetime


@dataclass(slots=True)
class Tombstone:
    """The identity and the expiry of an access token that ended."""

    digest: bytes
    expires_at: datetime

    @property
    def is_needed(self) -> bool:
        """Whether a cache could still hold the token."""
        return self.expires_at > datetime.now(UTC)


class Recorder(Protocol):
    """A durable record of the endings of tokens, beside the tombstones.

    It is called in the transaction that ends the tokens. If it raises DatabaseError, they stay active.
    """

    def record_end(self, tokens: Sequence[RevocableToken], *, again: bool) -> None:
        """Record that access tokens ended; with `again` only those that are not recorded as ended yet."""

    def record_return(self, tokens: Sequence[RevocableToken]) -> None:
        """Record that access tokens are active again, after their client or user was enabled."""


recorders: list[Recorder] = []
"""The records that are kept; an app adds its own when it is ready."""


def are_ends_wanted() -> bool:
    """Return whether the ending of a token is written anywhere: as a tombstone, or by a recorder."""
    return bool(recorders) or introspection_settings.REVOCATIONS is not None


def are_tombstones_read() -> bool:
    """Return whether tombstones can end a token here: REVOCATIONS is set, without "TOMBSTONES": False."""
    place = introspection_settings.REVOCATIONS
    return place is not None and place.has_tombstones


def record_end(tokens: Iterable[RevocableToken], *, again: bool = False) -> None:
    """Let every recorder note that access tokens ended; raises DatabaseError."""
    if recorders and (ended := list(tokens)):
        for recorder in recorders:
            recorder.record_end(ended, again=again)


def record_return(tokens: Iterable[RevocableToken]) -> None:
    """Let every recorder note that access tokens are active again; raises DatabaseError."""
    if recorders and (returned := list(tokens)):
        for recorder in recorders:
            recorder.record_return(returned)


def tombstone_key(identity: bytes, place: Revocations) -> str:
    """Return the cache key of a token's tombstone."""
    return place.prefix + identity.hex()


def marker_key(place: Revocations) -> str:
    """Return the cache key of the marker that readers require."""
    return f"{place.prefix}whole"


def own_marker_key(place: Revocations) -> str:
    """Return the cache key of this authorization server's own marker.

    Several authorization servers may write to one cache. Each one restores its tombstones when its own marker is
    missing, although another server may have set the common one again already.
    """
    issuer = introspection_settings.ISSUER or ""
    return f"{place.prefix}whole:{hashlib.sha256(issuer.encode()).hexdigest()[:16]}"


def keys_to_read(identity: bytes, place: Revocations) -> tuple[str, ...]:
    """Return the keys that must be read in one call to learn whether a token is revoked; none without tombstones."""
    return (tombstone_key(identity, place), marker_key(place)) if place.has_tombstones else ()


def is_tombstone_among(found: Mapping[str, Any], identity: bytes, place: Revocations) -> bool:
    """Return whether a token has a tombstone among the keys that were found.

    Raises RevocationsLost if neither the tombstone nor the marker is there.
    """
    if not place.has_tombstones:
        return False
    if tombstone_key(identity, place) in found:
        return True
    if type(found.get(marker_key(place))) is not int:  # another program may have written there
        _lost_log.write(LOST)
        raise RevocationsLost(LOST)
    return False


def is_revoked(identity: bytes) -> bool:
    """Return whether a token has a tombstone, False without REVOCATIONS.

    Raises IntrospectionUnavailable when the cache does not answer, and RevocationsLost when it has lost its data.
    """
    place = introspection_settings.REVOCATIONS
    if place is None or not place.has_tombstones:
        return False
    return is_tombstone_among(call(place, "get_many", keys_to_read(identity, place)), identity, place)


def write_tombstones(tokens: Iterable[RevocableToken]) -> None:
    """Write the tombstones of tokens in one call to the cache; raises IntrospectionUnavailable.

    They share the longest of the lifetimes: a tombstone that lasts too long does no harm.
    """
    place = introspection_settings.REVOCATIONS
    tokens = list(tokens)
    if place is None or not tokens:
        return
    left = max(token.expires_at for token in tokens) - datetime.now(UTC)
    timeout = int(left.total_seconds()) + 1 + introspection_settings.LEEWAY
    tombstones = {tombstone_key(token.digest, place): TOMBSTONE for token in tokens}
    try:
        if call(place, "set_many", tombstones, timeout=timeout):
            logger.error("the cache of revocations did not store every tombstone")
            raise IntrospectionUnavailable(UNAVAILABLE)
    except IntrospectionUnavailable:
        write_failed.set()
        raise


def remove_tombstones(tokens: Iterable[RevocableToken]) -> None:
    """Remove the tombstones of tokens that are active again, in one call; raises IntrospectionUnavailable."""
    place = introspection_settings.REVOCATIONS
    keys = [] if place is None else [tombstone_key(token.digest, place) for token in tokens]
    if place is not None and keys:
        call(place, "delete_many", keys)


def has_tombstones(tokens: Iterable[RevocableToken]) -> bool:
    """Return whether each of some tokens has a tombstone; raises IntrospectionUnavailable."""
    place = introspection_settings.REVOCATIONS
    keys = [] if place is None else [tombstone_key(token.digest, place) for token in tokens]
    return place is None or not keys or len(call(place, "get_many", keys)) == len(set(keys))


def whole_since() -> datetime | None:
    """Return since when the marker is in the cache, None if it is not there; raises IntrospectionUnavailable."""
    place = introspection_settings.REVOCATIONS
    since = None if place is None else call(place, "get", marker_key(place))
    return datetime.fromtimestamp(since, UTC) if isinstance(since, int) else None


def is_marked_by_us() -> bool:
    """Return whether the cache has the common marker and our own, and no change that a process left unfinished.

    Raises IntrospectionUnavailable.
    """
    place = introspection_settings.REVOCATIONS
    if place is None:
        return True
    found = call(place, "get_many", [marker_key(place), own_marker_key(place), *_change_keys(place)])
    is_marked = all(type(found.get(key)) is int for key in (marker_key(place), own_marker_key(place)))
    return is_marked and not _unfinished(place, found)


def begin_change(owner: str) -> None:
    """Note that a client or user is about to be disabled or enabled; raises IntrospectionUnavailable.

    A process that dies before it has written the tombstones leaves this note, and another process writes them.
    """
    place = introspection_settings.REVOCATIONS
    if place is not None:
        call(place, "set", _change_key(place, owner), int(datetime.now(UTC).timestamp()), timeout=None)


def end_change(owner: str) -> None:
    """Note that the tombstones of a change are written; raises IntrospectionUnavailable."""
    place = introspection_settings.REVOCATIONS
    if place is not None:
        call(place, "delete", _change_key(place, owner))


def end_unfinished_changes() -> None:
    """Note that every tombstone was written, also those of unfinished changes; raises IntrospectionUnavailable."""
    place = introspection_settings.REVOCATIONS
    if place is not None and (keys := _unfinished(place, call(place, "get_many", _change_keys(place)))):
        call(place, "delete_many", keys)


def _change_key(place: Revocations, owner: str) -> str:
    """Return a key that some other owners share, so that all of them can be read."""
    return _change_keys(place)[crc32(owner.encode()) % CHANGES]


def _change_keys(place: Revocations) -> list[str]:
    return [f"{own_marker_key(place)}:change:{number}" for number in range(CHANGES)]


def _unfinished(place: Revocations, found: Mapping[str, Any]) -> list[str]:
    """Return the keys of changes that began too long ago, or by a clock that was set back since."""
    at = datetime.now(UTC).timestamp()
    begun = {key: found[key] for key in _change_keys(place) if key in found}
    return [key for key, since in begun.items() if type(since) is not int or abs(at - since) > LONGEST_CHANGE]


def set_markers() -> None:
    """Declare that every tombstone is in the cache; raises IntrospectionUnavailable."""
    place = introspection_settings.REVOCATIONS
    if place is not None:
        since = int(datetime.now(UTC).timestamp())
        markers: Mapping[str, Any] = {own_marker_key(place): since, marker_key(place): since}
        if call(place, "set_many", markers, timeout=None):
            raise IntrospectionUnavailable(UNAVAILABLE)


def remove_markers() -> None:
    """Declare that tombstones are missing in the cache; raises IntrospectionUnavailable."""
    place = introspection_settings.REVOCATIONS
    if place is not None:
        call(place, "delete_many", [marker_key(place), own_marker_key(place)])


def call(place: Revocations, method: str, *arguments: Any, **options: Any) -> Any:
    """Call the cache of REVOCATIONS; raises IntrospectionUnavailable, whose cause could show a key or a password."""
    try:
        return _calls(method).make(place.alias, method, *arguments, **options)
    except CacheUnavailable:
        raise IntrospectionUnavailable(UNAVAILABLE) from None


def _calls(method: str) -> CacheCalls:
    if method in ("get", "get_many"):
        return _reads
    return _deletions if method in ("delete", "delete_many") else _writes
