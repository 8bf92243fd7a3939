"""Renewals in the background, which a test waits for."""

from __future__ import annotations

import threading


def finish() -> None:
    """Wait until no renewal is under way."""
    for thread in threading.enumerate():
        if thread.name == "django_introspection: renewal":
            thread.join(15)
            assert not thread.is_alive()
