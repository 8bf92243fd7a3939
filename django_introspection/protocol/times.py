"""Moments on the wire: seconds since the epoch (RFC 7519 §2, NumericDate)."""

from __future__ import annotations

from typing import Any

LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last one a datetime can hold

_FIRST_MILLISECOND = 10**12
"""2001-09-09 in milliseconds. A smaller number that is too large for seconds says never: twelve nines, for example."""
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
    """Convert a moment in milliseconds to seconds; any other value is returned as it is.

    A number of that size is no moment in seconds that a token can mean: it is one after the year 33000.
    """
    is_number = isinstance(value, (int, float))
    return value / 1000 if is_number and _FIRST_MILLISECOND <= value <= LAST_SECOND * 1000 else value


def readable_time(value: Any) -> Any:
    """Convert a moment that a server has written in its own way to one that `is_time` accepts.

    A string of digits is read as a number, and milliseconds as seconds; a moment before 1970 becomes 0, one after 9999
    becomes LAST_SECOND. Any other value is returned as it is.
    """
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _MAX_DIGITS:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return min(max(in_seconds(value), 0), LAST_SECOND)
