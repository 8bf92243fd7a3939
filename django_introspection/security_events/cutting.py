"""Writing cut-offs: first into the table, which keeps them, and then into the cache, which is read for each token."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from secrets import token_hex

from django.db import Error as DatabaseError
from django.db import router, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest

from .. import cut_offs
from ..conf import introspection_settings
from ..cut_offs import Kind
from ..protocol.errors import IntrospectionUnavailable
from ..setting_values import Revocations, invalid_setting
from .models import CutOff, Writer

logger = logging.getLogger("django_introspection")

MAX_ISSUER = 255


def write_cut_off(issuer: str, kind: Kind, value: str, moment: float) -> None:
    """Store and write a cut-off; raises as `security_events.cut_off` does.

    The row stays locked while the cache is written, so that of two moments the later one is written last. It is written
    again after the commit, because another process cannot restore a row before that. Until then the row counts as not
    written, and every process with the app looks for such rows.
    """
    if not 0 < len(issuer) <= MAX_ISSUER:
        raise ValueError(f"The issuer must have 1 to {MAX_ISSUER} characters.")
    place, now = required_place(), time.time()
    moment = int(min(moment, now + introspection_settings.LEEWAY))
    expires_at = int(now) + place.cut_off_lifetime
    name = cut_offs.name_of(issuer, kind, value)
    failure: IntrospectionUnavailable | None = None
    using = router.db_for_write(CutOff)
    with transaction.atomic(using=using):
        row = _locked(name, issuer, kind, moment, expires_at)
        transaction.on_commit(partial(_write_again, row.pk), using=using)
        try:
            cut_offs.write({name: row.moment}, seconds_left(row, now), place)
        except IntrospectionUnavailable as problem:  # the row must stay
            failure = problem
    if failure is not None:
        with suppress(IntrospectionUnavailable):
            cut_offs.remove_markers(own_name(), place)
        raise failure


def write_stored(keys: Iterable[int]) -> int:
    """Write stored cut-offs by the keys of their rows, note that they are written, and return how many there are.

    The rows are locked by an UPDATE, so that no later moment is overwritten. Raises django.db.Error, and
    IntrospectionUnavailable if the cache does not answer: then the rows stay as they are.
    """
    place, now = required_place(), time.time()
    with transaction.atomic(using=router.db_for_write(CutOff)):
        rows = _rows().filter(pk__in=list(keys))
        rows.update(is_written=True)
        page = list(rows.select_for_update())
        if page:
            cut_offs.write({row.name: row.moment for row in page}, max(seconds_left(row, now) for row in page), place)
    return len(page)


def required_place() -> Revocations:
    """Return the cache of REVOCATIONS; raises InvalidSetting without it."""
    place = introspection_settings.REVOCATIONS
    if place is None:
        raise invalid_setting("REVOCATIONS", problem="must be set: cut-offs are kept in its cache")
    return place


def own_name() -> str:
    """Return the name of this project among those that write cut-offs to one cache; raises django.db.Error."""
    rows = Writer.objects.using(router.db_for_write(Writer))
    writer, _ = rows.get_or_create(pk=Writer.ONLY, defaults={"name": token_hex(8)})
    return writer.name


def seconds_left(row: CutOff, now: float) -> int:
    """Return for how many seconds a cut-off must be kept in the cache, 1 or more."""
    return max(1, int(row.expires_at - now) + 1 + introspection_settings.LEEWAY)


def purge_expired() -> int:
    """Delete the cut-offs that have expired, and return how many."""
    deleted, _ = _rows().filter(expires_at__lt=int(time.time()) - introspection_settings.LEEWAY).delete()
    return deleted


def _write_again(key: int) -> None:
    """Write a cut-off after the commit of its row; if this fails, the next look writes it."""
    try:
        write_stored([key])
    except IntrospectionUnavailable:  # the log says so
        return
    except DatabaseError as error:
        logger.error("a cut-off cannot be noted as written: %s", type(error).__name__)


def _locked(name: str, issuer: str, kind: Kind, moment: int, expires_at: int) -> CutOff:
    """Return the row of a cut-off, with the latest moment, locked by an UPDATE, which every database can do."""
    row = CutOff(name=name, issuer=issuer, kind=kind, moment=moment, expires_at=expires_at)
    own = _rows().filter(name=name)
    later = {"moment": Greatest(F("moment"), moment), "expires_at": Greatest(F("expires_at"), expires_at)}
    for _ in range(2):  # a purge may delete an expired row between the two statements, but not the new one
        _rows().bulk_create([row], ignore_conflicts=True)
        if own.update(**later, is_written=False):
            break
    return own.select_for_update().get()  # reads the row as it is now, also in an older snapshot


def _rows() -> QuerySet[CutOff]:
    return CutOff.objects.using(router.db_for_write(CutOff))
