"""The app of the feed of revocations, beside the full app."""

from __future__ import annotations

from django.apps import AppConfig


class RevocationFeedConfig(AppConfig):
    """Install the tables, and record the end of every token from then on."""

    name = "django_introspection.revocation_feed"
    label = "introspection_revocation_feed"
    verbose_name = "Feed of revocations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, begin to record, and let rows be purged with tokens."""
        from ..authorization_server.purging import beside_tokens
        from . import checks, purging, recording
        from .models import Ending

        checks.register()
        recording.connect()
        beside_tokens[Ending] = purging.unneeded
