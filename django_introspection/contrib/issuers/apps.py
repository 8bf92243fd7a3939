"""The app of trusted issuers; it works with the full app and on a resource server without other tables."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrustedIssuersConfig(AppConfig):
    """Install the table, its admin and its checks."""

    name = "django_introspection.contrib.issuers"
    label = "introspection_issuers"
    verbose_name = _("Trusted issuers")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and let a change count at once in the process that makes it."""
        from . import changes, checks

        checks.register()
        changes.connect()
