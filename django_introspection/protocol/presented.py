"""A token in transit, hidden from error reports: Django hides the local variables of plain functions only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BEARER, DPOP = "Bearer", "DPoP"
TOKEN, API_KEY = "Token", "Api-Key"
"""The schemes of packages for Django REST framework, in which their clients go on to send the tokens that they have."""
SCHEMES = (BEARER, DPOP, TOKEN, API_KEY)
"""Ways to present a token in the `Authorization` header (RFC 6750 §2.1, RFC 9449 §7.1)."""


def are_schemes(value: Any) -> bool:
    """Return whether a value is a list of schemes: at least one, and each of them once."""
    if not isinstance(value, (list, tuple)) or not value:
        return False
    return all(scheme in SCHEMES for scheme in value) and len(set(value)) == len(value)


@dataclass(frozen=True, slots=True, repr=False)
class Presented:
    """Carry the value of a token through operations that are generators; its `repr` does not show the value."""

    value: str


@dataclass(frozen=True, slots=True, repr=False)
class SentToken(Presented):
    """A token as it was sent to a resource server, and the scheme by which it was sent."""

    scheme: str
