"""Writing stored cut-offs again that the cache of REVOCATIONS has lost or did not store."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from secrets import token_hex

from django.db import Error as DatabaseError
from django.db import connections, router
from django.db.models import QuerySet

from .. import cut_offs, revocations
from ..conf import introspection_settings
from ..exceptions import InvalidSetting
from ..protocol.errors import IntrospectionUnavailable
from ..setting_values import Revocations
from .cutting import own_name, required_place, write_stored
from .models import CutOff

logger = logging.getLogger("django_introspection")

BATCH = 500
"""Cut-offs in one statement and one call to the cache."""
SAMPLE = 20
"""Of the latest cut-offs, and of others, that are looked for to notice a cache that has lost some."""
LOCK_SECONDS = 30
"""Seconds for which a process keeps others from restoring, from its last page on."""


class _Running:
    """Whether a thread of this process looks for missing cut-offs; a forked process has no such thread."""

    def __init__(self) -> None:
        self.reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.reset)

    def reset(self) -> None:
        self._lock = threading.Lock()

    def begin(self) -> bool:
        return self._lock.acquire(blocking=False)

    def end(self) -> None:
        self._lock.release()


_running = _Running()


def restore_cut_offs() -> int:
    """Write every stored cut-off and then the markers, and return how many there are.

    Raises InvalidSetting without REVOCATIONS, IntrospectionUnavailable if the cache does not answer, and
    RevocationsLost if it loses its data meanwhile.
    """
    place, writer, name, after, count = required_place(), own_name(), token_hex(8), 0, 0
    cut_offs.begin_restoring(name, place)
    while keys := list(_live().filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        count += write_stored(keys)
        after = keys[-1]
        revocations.call(place, "touch", _lock_key(writer, place), LOCK_SECONDS)
    cut_offs.end_restoring(name, writer, place)
    logger.log(
        logging.WARNING if count else logging.INFO,
        "the cache of revocations has every cut-off again: %d were written",
        count,
    )
    return count


def restore_if_needed() -> None:
    """Write the cut-offs that the cache lacks, all of them if it has lost some; raises nothing."""
    try:
        place = introspection_settings.REVOCATIONS
        if place is not None and not _is_whole(place):
            with _alone(place) as is_alone:
                if is_alone:
                    restore_cut_offs()
    except (IntrospectionUnavailable, InvalidSetting):  # the log or a check says so, and the next call tries again
        return
    except DatabaseError as error:
        logger.error("the cut-offs cannot be restored, the database does not answer: %s", type(error).__name__)


def restore_in_background() -> None:
    """Look for missing cut-offs in a thread, because a request that judges a token must not wait for the table.

    A process has one such thread at a time.
    """
    if not has_place() or not _running.begin():
        return
    try:
        threading.Thread(target=_restore_alone, name="introspection-cut-offs", daemon=True).start()
    except RuntimeError as problem:  # too many threads, or the process ends
        _running.end()
        logger.error("the cut-offs cannot be restored: %s", problem)


def has_place() -> bool:
    """Return whether this project has the cache of REVOCATIONS."""
    try:
        return introspection_settings.REVOCATIONS is not None
    except InvalidSetting:  # E002 says so
        return False


def look_after_request(**_: object) -> None:
    """Look for missing cut-offs soon, a receiver of `request_finished`.

    A project that writes cut-offs need not judge tokens that they end.
    """
    cut_offs.look_soon()


def _restore_alone() -> None:
    try:
        restore_if_needed()
    finally:
        _running.end()
        connections.close_all()


@contextmanager
def _alone(place: Revocations) -> Iterator[bool]:
    """Yield whether no other process of this project restores now."""
    key = _lock_key(own_name(), place)
    is_alone = bool(revocations.call(place, "add", key, 1, timeout=LOCK_SECONDS))
    try:
        yield is_alone
    finally:
        if is_alone:
            with suppress(IntrospectionUnavailable):
                revocations.call(place, "delete", key)


def _lock_key(writer: str, place: Revocations) -> str:
    return f"{cut_offs.own_marker_key(writer, place)}:lock"


def _is_whole(place: Revocations) -> bool:
    """Return whether the cache has the markers and the cut-offs, and remove the markers if it lacks some.

    A cut-off that is not noted as written is written alone: it may be on its way in another process.
    """
    writer = own_name()
    if not cut_offs.is_marked(writer, place):
        return False
    try:
        while keys := list(_live().filter(is_written=False).values_list("pk", flat=True)[:BATCH]):
            write_stored(keys)
    except IntrospectionUnavailable:
        with suppress(IntrospectionUnavailable):
            cut_offs.remove_markers(writer, place)
        raise
    if not cut_offs.has_all(_sample(place), place):
        logger.error("the cache of revocations has lost or evicted cut-offs: see REVOCATIONS in the documentation")
        cut_offs.remove_markers(writer, place)
        return False
    return True


def _sample(place: Revocations) -> dict[str, int]:
    """Return the names and moments of the latest cut-offs, and of some others, as an index finds them.

    The later a cut-off is written, the later it expires. A replica that takes over may lack the last ones.
    """
    now = int(time.time())
    moment = now + random.random() * place.cut_off_lifetime  # noqa: S311 - no secret
    written = _live(now).filter(is_written=True).values_list("name", "moment")
    latest = written.order_by("-expires_at")[:SAMPLE]
    others = written.filter(expires_at__gte=int(moment)).order_by("expires_at")[:SAMPLE]
    return dict([*latest, *others])


def _live(at: int | None = None) -> QuerySet[CutOff]:
    """Return the cut-offs that have not expired; by default those that LEEWAY still keeps as well."""
    least = int(time.time()) - introspection_settings.LEEWAY if at is None else at
    return CutOff.objects.using(router.db_for_write(CutOff)).filter(expires_at__gte=least)
