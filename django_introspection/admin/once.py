"""Forms that do their work once, however often and however fast they are sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db import OperationalError, connections, router
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from ..models import Client
from ..models.fields import made_at, uuid7

FORM_LIFE = 60 * 60
"""Seconds for which an open form can be sent. The ID of a new token is that of its form, and IDs order the list."""
LOCK_RETRIES = 20
LOCK_PAUSE = 0.05
"""Seconds between two attempts to write to an SQLite database that another request is writing to."""


def new_form_id() -> UUID:
    """Return an ID for a form: time-ordered, so that its age is in it (RFC 9562 §5.7)."""
    return uuid7()


def is_current(form_id: UUID) -> bool:
    """Return whether a form with this ID was made within the last hour."""
    made = made_at(form_id)
    return made is not None and abs(datetime.now(UTC).timestamp() - made) <= FORM_LIFE


class FormIdField(forms.UUIDField):
    """The ID of one form. A form that comes without a valid one is shown again with a new ID."""

    widget = forms.HiddenInput

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, initial=new_form_id, **options)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return the ID that was sent, or the initial one if it is not valid."""
        return form_id_in(data) or initial

    def clean(self, value: Any) -> Any:
        """Return the ID, or None if it is not valid."""
        return form_id_in(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return False: the ID is not part of the object."""
        return False


def form_id_in(value: Any) -> UUID | None:
    """Return the ID of a form from what was sent, or None if it is missing, malformed or too old."""
    try:
        form_id = value if isinstance(value, UUID) else UUID(value)
    except (AttributeError, TypeError, ValueError):
        return None
    return form_id if is_current(form_id) else None


class OnceForm(forms.Form):
    """A form with an ID, which the database keeps: sent again, the form finds its work done."""

    form_id = FormIdField()

    def clean(self) -> dict[str, Any]:
        """Refuse a form without a valid ID, because it could do its work twice."""
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("form_id"):
            raise ValidationError(
                _("This form was open for too long or was incomplete. Nothing was saved. Check it and send it again.")
            )
        return cleaned


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
