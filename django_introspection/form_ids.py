"""IDs of forms, which the database keeps: a form that is sent again finds its work done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .models.fields import made_at, uuid7

FORM_LIFE = 60 * 60
"""Seconds for which an open form can be sent. The ID of a new token is that of its form, and IDs order the list."""


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
