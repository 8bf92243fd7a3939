"""Moments on the wire: seconds since the epoch (RFC 7519 §2, NumericDate)."""

from __future__ import annotations

from typing import Any

LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last one a datetime can hold


def is_time(value: Any) -> bool:
    """Tell whether a value is a moment, whole or fractional; a boolean is an int in Python, and no moment."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value <= LAST_SECOND
