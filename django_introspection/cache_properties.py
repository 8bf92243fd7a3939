"""What the caches of CACHES can be relied on for, as far as their settings say."""

from __future__ import annotations

from django.conf import settings


def is_private_cache(alias: str) -> bool:
    """Return whether a cache keeps entries from other processes, or keeps none."""
    return str(settings.CACHES[alias].get("BACKEND", "")).endswith(("locmem.LocMemCache", "dummy.DummyCache"))
