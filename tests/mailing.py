"""The backend that e-mails are sent through, in the setting that each Django has for it."""

from __future__ import annotations

from typing import Any

import django


def mail_through(settings: Any, backend: str) -> None:
    """Send e-mails through the class at this dotted path until the test ends."""
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": backend}}
    else:
        settings.EMAIL_BACKEND = backend
