"""The full app: both sides, with models and admin."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class IntrospectionConfig(AppConfig):
    """Install models, admin, checks and the security log."""

    name = "django_introspection"
    label = "introspection"
    verbose_name = _("Token introspection")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, connect log and counters, and describe the endpoints if drf-spectacular is installed."""
        from . import cache_checks, checks, configuration_log, counters, security_log
        from .authorization_server import checks as authorization_server_checks
        from .authorization_server import ending, kept_callers
        from .resource_server import checks as resource_server_checks

        checks.register()
        cache_checks.register()
        authorization_server_checks.register()
        resource_server_checks.register()
        configuration_log.connect()
        security_log.connect()
        counters.connect()
        ending.connect()
        kept_callers.connect()
        if apps.is_installed("drf_spectacular"):
            from .contrib import spectacular  # noqa: F401
        if apps.is_installed("oauth2_provider"):
            from .contrib.oauth_toolkit import revocation as oauth_toolkit

            oauth_toolkit.connect()
        self._watch_tokens_of_projects()
        if apps.is_installed("allauth.idp.oidc"):
            from .contrib.allauth import revocation as allauth

            allauth.connect()

    def _watch_tokens_of_projects(self) -> None:
        if apps.is_installed("rest_framework.authtoken"):
            from .contrib import authtoken

            authtoken.connect()
        if apps.is_installed("knox"):
            from .contrib import knox

            knox.connect()
        if apps.is_installed("rest_framework_api_key"):
            from .contrib import api_keys

            api_keys.connect()
