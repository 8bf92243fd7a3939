"""Moments as other packages keep them, in the DateTimeFields of a project with or without USE_TZ."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone


def aware(moment: datetime) -> datetime:
    """Return a moment with its zone: TIME_ZONE if it has none, and the earlier one of two."""
    return timezone.make_aware(moment, timezone.get_default_timezone()) if timezone.is_naive(moment) else moment


def seconds(moment: datetime) -> int:
    """Return the whole seconds since the epoch."""
    return int(aware(moment).timestamp())
