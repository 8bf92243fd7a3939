"""Cut-offs: one marker that ends every token of a subject, a session, a client or a grant issued up to a moment.

A cut-off ends tokens that this server has never seen, because it is compared with the `iat` of each token. It is kept
in the cache of REVOCATIONS beside the tombstones and is read in the same call. The app `security_events` writes
cut-offs, and stores each of them in its own table as well.

A cache can lose its data. The marker of cut-offs proves that every stored cut-off is in the cache. Without it no token
of a backend with the option `cut_offs` is accepted. A cache can also keep the marker and lose a cut-off, so every
process that has the app compares the table with the cache every few seconds.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from threading import Lock
from typing import Any

from django.core.signals import setting_changed

from . import revocations
from .cache_calls import LimitedLog
from .conf import introspection_settings
from .protocol.errors import IntrospectionUnavailable, RevocationsLost
from .protocol.times import is_past
from .protocol.token_info import TokenInfo
from .setting_values import Revocations

logger = logging.getLogger("django_introspection")

LOST = (
    "the cache of revocations has lost its cut-offs, or none were written to it yet; until the project with the app "
    "security_events has restored them, no token is accepted because of this cache"
)
UNREADABLE = "a cut-off in the cache of revocations cannot be read"
LOOK_EVERY = 5
"""Seconds between two times at which a process lets the app look for missing cut-offs."""
RUN_SECONDS = 600
"""Seconds that one restoring may take."""
_lost_log = LimitedLog(logger, logging.ERROR)


class Kind(StrEnum):
    """The subject of a cut-off, by the claim that names it in a token."""

    SUBJECT = "sub"
    SESSION = "sid"
    CLIENT = "client_id"
    GRANT = "grant_id"
    TOKEN = "jti"


def name_of(issuer: str, kind: Kind, value: str) -> str:
    """Return the name of a cut-off: a digest, so that neither a cache key nor a row shows whom it is about."""
    return hashlib.sha256(json.dumps([issuer, kind, value]).encode()).hexdigest()


def key_of(name: str, place: Revocations) -> str:
    """Return the cache key of a cut-off with this name."""
    return f"{place.prefix}cut:{name}"


def marker_key(place: Revocations) -> str:
    """Return the cache key of the marker of cut-offs that readers require."""
    return f"{place.prefix}cut:whole"


def own_marker_key(writer: str, place: Revocations) -> str:
    """Return the cache key of the marker of one writer.

    Several projects may write cut-offs to one cache. Each one restores its own when its marker is missing, although
    another project may have set the common one again already.
    """
    return f"{marker_key(place)}:{writer}"


def keys_to_read(issuer: str, info: TokenInfo, place: Revocations) -> tuple[str, ...]:
    """Return the keys that must be read in one call to learn whether a token of an issuer is cut off."""
    named = {kind: info.client_id if kind is Kind.CLIENT else info.get(kind) for kind in Kind}
    names = (name_of(issuer, kind, value) for kind, value in named.items() if isinstance(value, str) and value)
    return (*(key_of(name, place) for name in names), marker_key(place))


def is_cut_off_among(found: Mapping[str, Any], keys: Iterable[str], info: TokenInfo, place: Revocations) -> bool:
    """Return whether one of the cut-offs that were found ends a token.

    A token ends if it was issued in the second of the cut-off or before, and also if it has no `iat`, or one in the
    future, which is later than every cut-off. Raises RevocationsLost without the marker, and IntrospectionUnavailable
    for a value that is no moment.
    """
    marker = marker_key(place)
    look_soon()
    moments = [found[key] for key in keys if key in found and key != marker]
    if not all(type(moment) is int for moment in moments):
        raise IntrospectionUnavailable(UNREADABLE)
    issued_at = info.get("iat")
    if moments and not (
        is_past(issued_at, time.time(), introspection_settings.LEEWAY) and int(issued_at) > max(moments)
    ):
        return True
    if type(found.get(marker)) is not int:
        _lost_log.write(LOST)
        raise RevocationsLost(LOST)
    return False


def is_cut_off(issuer: str, info: TokenInfo) -> bool:
    """Return whether a token of an issuer is cut off, False without REVOCATIONS; raises IntrospectionUnavailable."""
    place = introspection_settings.REVOCATIONS
    if place is None:
        return False
    keys = keys_to_read(issuer, info, place)
    return is_cut_off_among(revocations.call(place, "get_many", keys), keys, info, place)


def is_ended(identity: bytes, issuer: str, info: TokenInfo) -> bool:
    """Return whether a token has a tombstone or is cut off, in one call; raises IntrospectionUnavailable."""
    place = introspection_settings.REVOCATIONS
    if place is None:
        return False
    keys = keys_to_read(issuer, info, place)
    found = revocations.call(place, "get_many", [*revocations.keys_to_read(identity, place), *keys])
    return revocations.is_tombstone_among(found, identity, place) or is_cut_off_among(found, keys, info, place)


def write(moments: Mapping[str, int], seconds: int, place: Revocations) -> None:
    """Write cut-offs by their names, each for so many seconds, in one call; raises IntrospectionUnavailable."""
    entries = {key_of(name, place): moment for name, moment in moments.items()}
    if entries and revocations.call(place, "set_many", entries, timeout=seconds):
        logger.error("the cache of revocations did not store every cut-off")
        raise IntrospectionUnavailable(revocations.UNAVAILABLE)


def has_all(moments: Mapping[str, int], place: Revocations) -> bool:
    """Return whether the cache has each of some cut-offs with its moment or a later one.

    Raises IntrospectionUnavailable.
    """
    keys = {key_of(name, place): moment for name, moment in moments.items()}
    found = revocations.call(place, "get_many", list(keys)) if keys else {}
    return all(type(found.get(key)) is int and found[key] >= moment for key, moment in keys.items())


def is_marked(writer: str, place: Revocations) -> bool:
    """Return whether the cache has the common marker and that of a writer; raises IntrospectionUnavailable."""
    keys = _marker_keys(writer, place)
    found = revocations.call(place, "get_many", keys)
    return all(type(found.get(key)) is int for key in keys)


def begin_restoring(name: str, place: Revocations) -> None:
    """Note that cut-offs are about to be written again under a name of their own."""
    revocations.call(place, "set", f"{place.prefix}cut:run:{name}", 1, timeout=RUN_SECONDS)


def end_restoring(name: str, writer: str, place: Revocations) -> None:
    """Write the markers of a writer, and take them back if the cache was emptied meanwhile.

    Raises RevocationsLost in that case, and IntrospectionUnavailable if the cache does not answer.
    """
    run, since = f"{place.prefix}cut:run:{name}", int(time.time())
    if revocations.call(place, "set_many", dict.fromkeys(_marker_keys(writer, place), since), timeout=None):
        raise IntrospectionUnavailable(revocations.UNAVAILABLE)
    if revocations.call(place, "get", run) is None:
        remove_markers(writer, place)
        raise RevocationsLost(LOST)
    revocations.call(place, "delete", run)


def remove_markers(writer: str, place: Revocations) -> None:
    """Declare that cut-offs of a writer are missing in the cache; raises IntrospectionUnavailable."""
    revocations.call(place, "delete_many", _marker_keys(writer, place))


def _marker_keys(writer: str, place: Revocations) -> list[str]:
    return [own_marker_key(writer, place), marker_key(place)]


class _Restorer:
    """The function that looks for missing cut-offs, called at most once in LOOK_EVERY seconds, if there is one."""

    def __init__(self) -> None:
        self._look: Callable[[], None] | None = None
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        self._due = float("-inf")

    def register(self, look: Callable[[], None]) -> None:
        self._look = look

    def look_soon(self) -> None:
        if self._look is None or time.monotonic() < self._due:
            return
        with self._lock:
            is_due = time.monotonic() >= self._due
            if is_due:
                self._due = time.monotonic() + LOOK_EVERY
        if is_due:
            self._look()


_restorer = _Restorer()


def restore_with(look: Callable[[], None]) -> None:
    """Let a function look for missing cut-offs and restore them; it must return at once and raise nothing."""
    _restorer.register(look)


def look_soon() -> None:
    """Let the app that has the table look for cut-offs that the cache lacks, if LOOK_EVERY seconds have passed."""
    _restorer.look_soon()


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting == "CACHES":
        _restorer.reset()


setting_changed.connect(_settings_changed)
