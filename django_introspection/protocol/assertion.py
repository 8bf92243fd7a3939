"""The claims by which an assertion authenticates a client (RFC 7523 §3, draft-ietf-oauth-rfc7523bis §4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .jwt import UnverifiedJWT
from .times import is_time

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LIFETIME = 300
"""The longest lifetime of an assertion, in seconds; it is remembered, and a stolen one is of use, for that time."""
_TYPES = (None, "jwt", "client-authentication+jwt")


def assertion_problem(jwt: UnverifiedJWT, *, client_id: str, issuer: str, now: float, leeway: int) -> str | None:
    """Return why an assertion does not authenticate a client at this issuer, None if it may.

    The audience is the issuer alone: an assertion for several, or for one endpoint, could be passed on to another
    server (draft-ietf-oauth-rfc7523bis §4).
    """
    claims = jwt.claims
    if jwt.media_type not in _TYPES:
        return "it is explicitly of another type"
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        return "iss and sub are not the client"
    if claims.get("aud") not in (issuer, [issuer]):
        return "aud is not this issuer alone"
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        return "it has no jti"
    return _time_problem(claims, now, leeway)


def _time_problem(claims: Mapping[str, Any], now: float, leeway: int) -> str | None:
    if not is_time(claims.get("exp")) or not all(is_time(claims.get(name, 0)) for name in ("nbf", "iat")):
        return "it has no exp, or a time is malformed"
    if now >= claims["exp"] + leeway:
        return "it has expired"
    if claims["exp"] > now + MAX_LIFETIME + leeway:
        return f"it lives longer than {MAX_LIFETIME} seconds"
    if claims.get("nbf", 0) > now + leeway or claims.get("iat", 0) > now + leeway:
        return "it is not valid yet"
    if claims.get("iat", now) < now - MAX_LIFETIME - leeway:
        return "it was made too long ago"
    return None
