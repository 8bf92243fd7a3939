"""What a call comes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
Refusal = TypeVar("Refusal", bound=Exception)


def outcome(call: Callable[[], Result], refusal: type[Refusal]) -> Result | Refusal:
    """Return the result, or the refusal that was raised; any other exception is the test's failure."""
    try:
        return call()
    except refusal as raised:
        return raised
