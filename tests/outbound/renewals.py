"""Renewals in the background, which a test waits for."""

from __future__ import annotations

import threading


def finish() -> None:
    """Wait until no renewal is under way."""
    for thread in threading.enumerate():
        if thread.name.startswith("django_introspection"):
            thread.join(10)
            assert not thread.is_alive()
