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
"""The sign for an empty value in Django's admin."""


def moment_text(value: datetime) -> str:
    """Return a moment in UTC, with the name of the zone: days in filters and `exp` in tokens are in UTC as well."""
    return _("%(moment)s UTC") % {"moment": formats.date_format(value.astimezone(UTC), "DATETIME_FORMAT")}


def moment(value: datetime | None) -> str:
    """Return a moment as HTML, or a dash for none."""
    if value is None:
        return EMPTY
    return format_html('<time datetime="{}">{}</time>', value.astimezone(UTC).isoformat(), moment_text(value))


def short_moment(value: datetime | None) -> str:
    """Return a moment as HTML for a column of a list, in which the date stays on one line."""
    if value is None:
        return EMPTY
    at = value.astimezone(UTC)
    html = '<time datetime="{}" dir="ltr"><span class="introspection-note">{}</span> {} UTC</time>'
    return format_html(html, at.isoformat(), at.strftime("%Y-%m-%d"), at.strftime("%H:%M"))


def identifier(value: Any) -> str:
    """Return an identifier or a URL as HTML, written from left to right in every language."""
    return format_html('<code dir="ltr">{}</code>', value) if value else EMPTY


def identifiers(values: Iterable[Any]) -> str:
    """Return identifiers as a list in HTML, or a dash for none."""
    items = format_html_join("", '<li><code dir="ltr">{}</code></li>', ((value,) for value in values))
    return format_html('<ul class="introspection-identifiers">{}</ul>', items) if items else EMPTY


def short_identifier(value: Any) -> str:
    """Return the end of a UUID as HTML, with the whole of it as a title; its beginning is the time."""
    text = str(value)
    return format_html('<code dir="ltr" title="{}">…{}</code>', text, text[-8:])


def moment_field(
    name: str, description: Any, form: Callable[[datetime | None], str] = moment, *, ordering: str | None = None
) -> Callable[..., str]:
    """Return a field of an object, or a column of a list, that shows a moment."""

    @admin.display(description=description, ordering=ordering)
    def field(self: Any, obj: Any) -> str:
        return form(getattr(obj, name))

    return field
