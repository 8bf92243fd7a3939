"""How the admin writes moments and identifiers, alike on every page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.utils import formats
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _

EMPTY = "-"
"""What Django's admin shows for an empty value."""


def moment_text(value: datetime) -> str:
    """Return a moment in UTC, with the name of the zone: days in filters and `exp` in tokens are in UTC as well."""
    return _("%(moment)s UTC") % {"moment": formats.date_format(value.astimezone(UTC), "DATETIME_FORMAT")}


def moment(value: datetime | None) -> str:
    """Return a moment as HTML, or a dash for none."""
    if value is None:
        return EMPTY
    return format_html('<time datetime="{}">{}</time>', value.astimezone(UTC).isoformat(), moment_text(value))


def identifier(value: Any) -> str:
    """Return an identifier or a URL as HTML, written from left to right in every language."""
    return format_html('<code dir="ltr">{}</code>', value) if value else EMPTY


def identifiers(values: Iterable[Any]) -> str:
    """Return identifiers as a list in HTML, or a dash for none."""
    items = format_html_join("", '<li><code dir="ltr">{}</code></li>', ((value,) for value in values))
    return format_html('<ul class="introspection-identifiers">{}</ul>', items) if items else EMPTY


def short_identifier(value: Any) -> str:
    """Return the two ends of a UUID as HTML, with the whole of it for the mouse and the screen reader."""
    text = str(value)
    return format_html('<code dir="ltr" title="{}">{}…{}</code>', text, text[:8], text[-4:])


def moment_column(name: str, description: Any) -> Callable[..., str]:
    """Return a column or a field of the admin that shows a moment."""

    @admin.display(description=description)
    def column(self: Any, obj: Any) -> str:
        return moment(getattr(obj, name))

    return column
