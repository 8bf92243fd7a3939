"""Writing every tombstone again after the cache of REVOCATIONS has lost its data.

A resource server that finds no marker in the cache refuses what it cannot judge, so the authorization server looks for
its markers every few seconds. It restores in slices, so that no request waits long, and one process does it at a time.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID

from django.core.signals import setting_changed
from django.db import Error as DatabaseError
from django.db.models import Q, QuerySet

from .. import revocations
from ..conf import introspection_settings
from ..exceptions import InvalidSetting
from ..models import Token, TokenKind
from ..models.fields import now
from ..protocol.errors import IntrospectionUnavailable, RevocationsLost
from ..setting_values import Revocations
from ..user_models import user_has_column

logger = logging.getLogger("django_introspection")

BATCH = 500
"""Tombstones in one call to the cache."""
SLICE = 1
"""Seconds of one request that restoring may take."""
SAMPLE = 20
"""Tombstones that are looked for to notice a cache that evicts them."""
LOCK_SECONDS = 30
POSITION_SECONDS = 600
"""Seconds for which the next slice can continue after the last one."""


class Restored(NamedTuple):
    """How many tombstones were written, and whether these are all."""

    tombstones: int
    is_complete: bool


class _Timer:
    """Let one caller in this process through every so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        self._due = float("-inf")

    def is_due(self) -> bool:
        with self._lock:
            is_due = time.monotonic() >= self._due
            if is_due:
                self._due = time.monotonic() + self._seconds
            return is_due


_look_for_markers = _Timer(5)
_look_for_evictions = _Timer(60)


def restore_if_needed() -> None:
    """Restore a slice of the tombstones if the cache has lost them or refused some; raises nothing.

    A process looks at the cache every few seconds, however often this is called.
    """
    try:
        place = introspection_settings.REVOCATIONS
    except InvalidSetting:  # E002 says so
        return
    if place is None or not _look_for_markers.is_due():
        return
    try:
        if _is_whole():
            return
        with _alone(place) as is_alone:
            if is_alone and not restore_tombstones(seconds=SLICE).is_complete:
                _look_for_markers.reset()
    except IntrospectionUnavailable:  # the log says so, and the next look tries again
        return
    except DatabaseError as error:
        logger.error("the tombstones cannot be restored, the database does not answer: %s", type(error).__name__)


def restore_all() -> int:
    """Restore every tombstone, whether some are missing or not, and return how many there are.

    Raises IntrospectionUnavailable if the cache does not answer, or another process restores for too long.
    """
    record_all()
    place = introspection_settings.REVOCATIONS
    if place is None:
        return 0
    give_up = time.monotonic() + LOCK_SECONDS
    while True:
        with _alone(place) as is_alone:
            if is_alone:
                _forget_run(place)
                return restore_tombstones().tombstones
        if time.monotonic() >= give_up:
            raise IntrospectionUnavailable("another process is restoring the tombstones")
        time.sleep(0.2)


def record_all() -> int:
    """Let the recorders note every token that has ended and is not recorded, and return how many were looked at."""
    count, rest = 0, ended_tokens().only("digest", "expires_at").order_by("pk")
    page = list(rest[:BATCH]) if revocations.recorders else []
    while page:
        revocations.record_end(page, again=True)
        count += len(page)
        page = list(rest.filter(pk__gt=page[-1].pk)[:BATCH])
    return count


def restore_tombstones(*, seconds: float | None = None) -> Restored:
    """Write the tombstone of every token that has ended, and then the markers.

    With `seconds` it stops after that time, and the next call goes on there. Raises IntrospectionUnavailable if the
    cache does not answer, and RevocationsLost if it loses its data once more.
    """
    place = introspection_settings.REVOCATIONS
    if place is None:
        return Restored(0, is_complete=True)
    failed_before, count, start = revocations.write_failed.is_set(), 0, time.monotonic()
    revocations.write_failed.clear()
    try:
        run = _Run(place)
        while page := run.next_page():
            revocations.write_tombstones(page)
            run.note(page[-1])
            count += len(page)
            if seconds is not None and time.monotonic() - start >= seconds:
                return Restored(count, is_complete=False)
        run.finish()
    except IntrospectionUnavailable:
        if failed_before:
            revocations.write_failed.set()
        raise
    logger.log(
        logging.WARNING if count else logging.INFO,
        "the cache of revocations is whole again: %d tombstones were written",
        count,
    )
    return Restored(count, is_complete=True)


def ended_tokens(*, expired_for: int = 0) -> QuerySet[Token]:
    """Return the access tokens that were ended before they expire: revoked, or of a disabled client or user.

    Tokens that have expired are among them until `expired_for` seconds after their expiry.
    """
    ended = Q(revoked_at__isnull=False) | Q(client__is_active=False)
    if user_has_column("is_active"):
        ended |= Q(user__is_active=False)
    after = now() - timedelta(seconds=expired_for)
    return Token.objects.on_primary().filter(ended, kind=TokenKind.ACCESS, expires_at__gt=after)


class _Run:
    """One way through the table, from slice to slice, whose end proves that the cache lost nothing meanwhile.

    The key of the run is written once, at the start. If it is gone, so are tombstones that were written since.
    """

    def __init__(self, place: Revocations) -> None:
        self._place = place
        self._key, self._position_key = _run_keys(place)
        found = revocations.call(place, "get_many", [self._key, self._position_key])
        self._id = found.get(self._key)
        self._after: tuple[datetime, UUID] | None = None
        if self._id is None:
            self._id = token_hex(8)
            revocations.call(place, "set", self._key, self._id, timeout=POSITION_SECONDS)
        elif isinstance(position := found.get(self._position_key), list) and position[0] == self._id:
            self._after = datetime.fromtimestamp(position[1], UTC), UUID(hex=position[2])

    def next_page(self) -> list[Token]:
        """Return the next tokens in the order of an index."""
        rest = ended_tokens()
        if self._after is not None:
            moment, pk = self._after
            rest = rest.filter(Q(expires_at__gt=moment) | Q(expires_at=moment, pk__gt=pk), expires_at__gte=moment)
        return list(rest.only("digest", "expires_at").order_by("expires_at", "pk")[:BATCH])

    def note(self, last: Token) -> None:
        """Note the last token of a page, and keep the lock; raises RevocationsLost."""
        self._after = last.expires_at, last.pk
        position = [self._id, int(last.expires_at.timestamp()), last.pk.hex]
        revocations.call(self._place, "set", self._position_key, position, timeout=POSITION_SECONDS)
        revocations.call(self._place, "touch", _lock_key(self._place), LOCK_SECONDS)
        if not revocations.call(self._place, "touch", self._key, POSITION_SECONDS):
            raise RevocationsLost(revocations.LOST)

    def finish(self) -> None:
        """Write the markers, and take them back if the cache was emptied just before; raises RevocationsLost."""
        revocations.set_markers()
        if revocations.call(self._place, "get", self._key) != self._id:
            revocations.remove_markers()
            raise RevocationsLost(revocations.LOST)
        revocations.end_unfinished_changes()
        _forget_run(self._place)


def _is_whole() -> bool:
    """Return whether the cache has the markers, and remove them if it lacks tombstones that it should have."""
    if revocations.write_failed.is_set():
        revocations.remove_markers()
        return False
    if not revocations.is_marked_by_us():
        return False
    if _look_for_evictions.is_due() and not revocations.has_tombstones(_sample()):
        logger.error("the cache of revocations has evicted tombstones: give it memory and an eviction policy for them")
        revocations.remove_markers()
        return False
    return True


def _sample() -> list[Token]:
    """Return some tokens that were revoked before a random moment, as an index finds them."""
    at = now()
    start = at - timedelta(seconds=introspection_settings.ACCESS_TOKEN_LIFETIME)
    moment = start + random.random() * (at - start)  # noqa: S311 - no secret
    revoked = Token.objects.on_primary().filter(kind=TokenKind.ACCESS, expires_at__gt=at).only("digest", "expires_at")
    before = revoked.filter(revoked_at__gte=start, revoked_at__lte=moment).order_by("-revoked_at")[:SAMPLE]
    return list(before) or list(revoked.filter(revoked_at__gte=moment).order_by("revoked_at")[:SAMPLE])


def _run_keys(place: Revocations) -> tuple[str, str]:
    own = revocations.own_marker_key(place)
    return f"{own}:run", f"{own}:position"


def _lock_key(place: Revocations) -> str:
    return f"{revocations.own_marker_key(place)}:lock"


def _forget_run(place: Revocations) -> None:
    revocations.call(place, "delete_many", _run_keys(place))


@contextmanager
def _alone(place: Revocations) -> Iterator[bool]:
    """Yield whether no other process restores now."""
    is_alone = bool(revocations.call(place, "add", _lock_key(place), 1, timeout=LOCK_SECONDS))
    try:
        yield is_alone
    finally:
        if is_alone:
            with suppress(IntrospectionUnavailable):
                revocations.call(place, "delete", _lock_key(place))


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting == "CACHES":
        _look_for_markers.reset()
        _look_for_evictions.reset()


setting_changed.connect(_settings_changed)
