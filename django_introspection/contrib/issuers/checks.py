"""The system checks of trusted issuers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.core import checks
from django.db import Error as DatabaseError
from django.db import router
from django.db.models import QuerySet

from ...check_messages import Messages, error, warning
from ...exceptions import InvalidSetting
from .entry import entry_of
from .models import TrustedIssuer
from .using import routers, routers_or_stand_in

MOST = 10
"""Rows that one check reports."""


def register() -> None:
    """Register the checks; a second call changes nothing."""
    checks.register(check_rows, checks.Tags.database)


def check_rows(*, databases: Iterable[str] | None = None, **_: Any) -> Messages:
    """Look for active rows that cannot be used (E060), or that no backend reads (W060)."""
    using = router.db_for_read(TrustedIssuer)
    if using not in (databases or ()):
        return []
    rows = TrustedIssuer.objects.using(using).filter(is_active=True)
    try:
        return list(islice(_problems(rows), MOST))
    except DatabaseError:  # not migrated, or it does not answer; others report it
        return []


def _problems(rows: QuerySet[TrustedIssuer]) -> Iterator[checks.CheckMessage]:
    if not rows.exists():
        return
    if not routers():
        yield warning("W060", "No routing backend looks issuers up in the table of trusted issuers.")
    for row in rows:
        try:
            for issuers in routers_or_stand_in():
                issuers.make(row.issuer, entry_of(row.backend, row.options, row.cache)).close()
        except InvalidSetting as problem:
            yield error("E060", f"The trusted issuer {row.issuer!r} cannot be used: {problem}", obj=row)
