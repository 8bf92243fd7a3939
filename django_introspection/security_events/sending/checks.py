"""The system check of sending."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core import checks

from ...check_messages import TAG, error, of_valid_settings
from ...conf import introspection_settings
from ...setting_values import NAME


def register() -> None:
    """Register the check; a second call changes nothing."""
    checks.register(check_sending, TAG)


@of_valid_settings
def check_sending(**_: Any) -> Iterator[checks.CheckMessage]:
    """Look for the tables of events (E083), and for the issuer and the keys of signed events (E082)."""
    if not apps.is_installed("django_introspection.security_events"):
        text = "'django_introspection.security_events.sending' needs 'django_introspection.security_events'."
        yield error("E083", text, "INSTALLED_APPS")
    if introspection_settings.ISSUER is None or not introspection_settings.SIGNING_KEYS:
        yield error("E082", f"{NAME}['ISSUER'] and {NAME}['SIGNING_KEYS'] must be set: they sign security events.")
