"""The app of the feed in the suite's project: its tables are there, and nothing is recorded until a test wants it."""

from __future__ import annotations

from django_introspection.revocation_feed.apps import RevocationFeedConfig


class QuietFeed(RevocationFeedConfig):
    def ready(self) -> None:
        """Leave every other test without the statements that recording takes."""
