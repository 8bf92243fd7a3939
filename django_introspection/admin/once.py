"""Views that do their work once, however often and however fast their form is sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.db import OperationalError, connections, router
from django.http import HttpRequest, HttpResponse

from ..form_ids import OnceForm, form_id_in
from ..models import Client

__all__ = ["OnceForm", "posted_form_id", "waits_for_lock"]

LOCK_RETRIES = 20
LOCK_PAUSE = 0.05
"""Seconds between two attempts to write to an SQLite database that another request is writing to."""


View = Callable[..., HttpResponse]


def waits_for_lock(view: View) -> View:
    """Repeat a view that SQLite refused because another request was writing.

    SQLite refuses at once, without waiting, if a transaction has read before another one wrote. Each attempt begins
    with a fresh look, so a form that was sent twice is answered as sent already.
    """

    @wraps(view)
    def repeated(*arguments: Any, **options: Any) -> HttpResponse:
        for _attempt in range(LOCK_RETRIES):
            try:
                return view(*arguments, **options)
            except OperationalError:
                if not _can_repeat():
                    raise
                time.sleep(LOCK_PAUSE)
        return view(*arguments, **options)

    return repeated


def _can_repeat() -> bool:
    """Return whether the database has one writer at a time and no outer transaction was broken."""
    connection = connections[router.db_for_write(Client)]
    return connection.vendor == "sqlite" and not connection.in_atomic_block


def posted_form_id(request: HttpRequest) -> UUID | None:
    """Return the ID of the form that a request sends, or None."""
    return form_id_in(request.POST.get("form_id"))
