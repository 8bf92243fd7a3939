"""Moments, identifiers, reasons and counts in the templates of the admin.

Django loads this module in every project, also in one without its admin, so the admin is imported late.
"""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()


@register.filter
def moment(value: Any) -> str:
    """Return a moment as HTML, in UTC and with the name of the zone."""
    from ..admin import display

    return display.moment(value)


@register.filter
def identifier(value: Any) -> str:
    """Return an identifier as HTML, written from left to right."""
    from ..admin import display

    return display.identifier(value)


@register.filter
def identifiers(values: Any) -> str:
    """Return identifiers as a list in HTML."""
    from ..admin import display

    return display.identifiers(values)


@register.filter
def reason_name(reason: str) -> Any:
    """Return the name of a reason of a rejection in the language of the reader."""
    from ..admin import debugger_reasons

    return debugger_reasons.reason_name(reason)


@register.simple_tag
def tokens_of(objects: Any) -> Any:
    """Count the tokens that end with clients, users or tokens."""
    from ..admin import deleting

    return deleting.tokens_of(objects)
