"""A token on its way: error reports show the locals of frames, and Django hides those of plain functions alone."""

from __future__ import annotations

from dataclasses import dataclass

BEARER, DPOP = "Bearer", "DPoP"
SCHEMES = (BEARER, DPOP)
"""Ways to present a token in the `Authorization` header (RFC 6750 §2.1, RFC 9449 §7.1)."""


@dataclass(frozen=True, slots=True, repr=False)
class Presented:
    """Carry the value of a token through operations that are generators; its `repr` does not tell it."""

    value: str


@dataclass(frozen=True, slots=True, repr=False)
class SentToken(Presented):
    """A token as it came to a resource server, and the scheme that it came by."""

    scheme: str
