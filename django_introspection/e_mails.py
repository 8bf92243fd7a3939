"""The e-mails of this package: the address of a user, and the templates of a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string


def address_of(user: Any) -> str:
    """Return the e-mail address of a user, an empty string if none is known."""
    name = getattr(user, "get_email_field_name", None)  # a user model need not be made of Django's base class
    return str(getattr(user, name(), "") or "") if name else ""


def rendered(subject: str, message: str, context: Mapping[str, Any]) -> tuple[str, str]:
    """Return the subject, which is one line, and the text that two templates make."""
    line = " ".join(render_to_string(subject, context).split())
    return line, render_to_string(message, context)
