"""The app of security events; it works with the full app and on a resource server without other tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.signals import request_finished
from django.utils.translation import gettext_lazy as _

from ..setting_values import NAME


class SecurityEventsConfig(AppConfig):
    """Install the tables, and let this project restore lost cut-offs."""

    name = "django_introspection.security_events"
    label = "introspection_events"
    verbose_name = _("Security events")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and look for cut-offs that the cache lacks while there are requests or tokens."""
        from .. import cut_offs
        from . import checks
        from .restoring import look_after_request, restore_in_background

        checks.register()
        cut_offs.restore_with(restore_in_background)
        if _names_a_place(getattr(settings, NAME, None)):
            request_finished.connect(look_after_request, dispatch_uid=f"{self.name}.look_after_request")


def _names_a_place(values: Any) -> bool:
    """Return whether REVOCATIONS is set, without a look at the other settings: they are read when they are needed."""
    return isinstance(values, Mapping) and values.get("REVOCATIONS") is not None
