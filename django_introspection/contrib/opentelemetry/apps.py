"""The app that turns telemetry on; it works with the full app and on a resource server."""

from __future__ import annotations

from importlib.util import find_spec

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


class OpenTelemetryConfig(AppConfig):
    """Observe requests to authorization servers, validations and answers."""

    name = "django_introspection.contrib.opentelemetry"
    label = "introspection_opentelemetry"
    verbose_name = _("Token introspection (OpenTelemetry)")

    def ready(self) -> None:
        """Begin to observe; raises ImproperlyConfigured if the API of OpenTelemetry is not installed."""
        if find_spec("opentelemetry") is None:
            raise ImproperlyConfigured(
                f"{self.name} needs the extra opentelemetry: pip install 'django-introspection[opentelemetry]'"
            )
        from . import metrics, requests

        requests.observe()
        metrics.connect()
