"""Moments on the wire: seconds since the epoch (RFC 7519 §2, NumericDate)."""

from __future__ import annotations

from typing import Any

LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last one a datetime can hold

_MAX_DIGITS = 20
"""Characters of the largest number of 64 bits, which servers write for a token that does not expire."""


def is_time(value: Any) -> bool:
    """Return whether a value is a moment, whole or fractional; a boolean is an int in Python, and no moment."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value <= LAST_SECOND


def is_past(value: Any, now: float, leeway: float) -> bool:
    """Return whether a value is a moment that is not in the future; `now` and `leeway` are in seconds."""
    return is_time(value) and bool(value <= now + leeway)


def in_seconds(value: Any) -> Any:
    """Convert a moment in milliseconds, which is a number above LAST_SECOND, to seconds.

    Any other value is returned as it is.
    """
    is_number = isinstance(value, (int, float))
    return value / 1000 if is_number and LAST_SECOND < value <= LAST_SECOND * 1000 else value


def readable_time(value: Any) -> Any:
    """Convert a moment that a server has written in its own way to one that `is_time` accepts.

    A string of digits is read as a number; a moment before 1970 becomes 0, one after 9999 becomes LAST_SECOND. Any
    other value is returned as it is.
    """
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _MAX_DIGITS:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return min(max(value, 0), LAST_SECOND)
