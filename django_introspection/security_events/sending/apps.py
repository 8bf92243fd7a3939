"""The app that begins to write events; the tables are those of `security_events`."""

from __future__ import annotations

from django.apps import AppConfig


class SendingConfig(AppConfig):
    """Write an event for each token that ends."""

    name = "django_introspection.security_events.sending"
    label = "introspection_events_sending"
    verbose_name = "Sending of security events"

    def ready(self) -> None:
        """Begin to write, and register the check."""
        from . import checks, recording

        checks.register()
        recording.connect()
