"""The system checks of security events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.core import checks
from django.db import Error as DatabaseError
from django.db import router

from ..backends.registry import token_backends
from ..check_messages import error, of_valid_settings, warning
from ..conf import introspection_settings
from ..protocol.errors import IntrospectionUnavailable
from ..setting_values import NAME
from .models import ReceivedStream, SentStream, Stream

MOST = 10
"""Rows that one check reports."""


def register() -> None:
    """Register the checks; a second call changes nothing."""
    checks.register(check_rows, checks.Tags.database)


@of_valid_settings
def check_rows(*, databases: Iterable[str] | None = None, **_: Any) -> Iterator[checks.CheckMessage]:
    """Look for streams without a cache (E080), without their secret (E081), and without effect (W080)."""
    for model, problems in ((ReceivedStream, _received_problems), (SentStream, _secret_problems)):
        using = router.db_for_read(model)
        if using not in (databases or ()):
            continue
        try:
            rows = list(model._default_manager.using(using).filter(is_active=True))
        except DatabaseError:  # not migrated, or it does not answer; others report it
            continue
        yield from islice(problems(rows), MOST)


def _received_problems(rows: Iterable[Any]) -> Iterator[checks.CheckMessage]:
    if rows and introspection_settings.REVOCATIONS is None:
        yield error("E080", f"{NAME}['REVOCATIONS'] must be set: security events are cut-offs in its cache.")
    yield from _secret_problems(rows)
    backends = list(token_backends.made())
    if any(backend.looks_up_issuers for backend in backends):  # any issuer may be one of theirs
        return
    ended = {backend.cut_off_issuer for backend in backends}
    for row in rows:
        if row.issuer not in ended:
            yield warning("W080", f"No backend has the option cut_offs for the issuer {row.issuer!r}.", obj=row)


def _secret_problems(rows: Iterable[Stream]) -> Iterator[checks.CheckMessage]:
    for row in rows:
        try:
            row.secret()
        except IntrospectionUnavailable as problem:
            yield error("E081", f"The stream {row} cannot be used: {problem}.", obj=row)
