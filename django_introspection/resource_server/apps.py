"""The app of a pure resource server: checks, and no tables."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class ResourceServerConfig(AppConfig):
    """Install the checks alone."""

    name = "django_introspection.resource_server"
    label = "introspection_resource_server"
    verbose_name = _("Token introspection (resource server)")

    def ready(self) -> None:
        """Register the checks, and describe the authentication if drf-spectacular is installed."""
        from .. import cache_checks, checks, configuration_log
        from . import checks as resource_server_checks

        checks.register()
        cache_checks.register()
        resource_server_checks.register()
        configuration_log.connect()
        if apps.is_installed("drf_spectacular"):
            from ..contrib import spectacular  # noqa: F401
