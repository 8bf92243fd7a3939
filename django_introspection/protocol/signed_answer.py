"""Introspection answers as signed JWTs, from both ends of the wire (RFC 9701)."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from . import dialects
from .answer import Answer
from .errors import InvalidResponse
from .introspection import Members, read_members
from .jwt import UnverifiedJWT
from .times import is_time

ANSWER_TYPE = "token-introspection+jwt"
MEDIA_TYPE = f"application/{ANSWER_TYPE}"


class UnverifiedResponse(InvalidResponse):
    """The response is not signed as this resource server requires."""


def answer_claims(members: Mapping[str, Any], *, issuer: str, audience: str, now: int) -> Members:
    """Return the claims of an answer to one caller (RFC 9701 §5).

    It has neither `sub` nor `exp`, so that nothing takes it for an access token.
    """
    return {"iss": issuer, "aud": audience, "iat": now, "token_introspection": dict(members)}


def read_answer(
    jwt: UnverifiedJWT, *, issuer: str, audience: AbstractSet[str], now: float, max_age: float, leeway: int
) -> Answer:
    """Return the answer in a JWT whose signature was verified; raise InvalidResponse.

    `audience` are the names of this resource server, and `max_age` are the seconds that the response may have taken.
    """
    if problem := _problem(jwt, issuer, audience) or _time_problem(jwt.claims, now, max_age, leeway):
        raise UnverifiedResponse(f"the signed response is refused: {problem}")
    return read_members(dict(jwt.claims["token_introspection"]))


def _problem(jwt: UnverifiedJWT, issuer: str, audience: AbstractSet[str]) -> str | None:
    claims = jwt.claims
    if jwt.media_type != ANSWER_TYPE:
        return f"its typ is not {ANSWER_TYPE}"
    if claims.get("iss") != issuer:
        return "its iss is not the issuer"
    if audience.isdisjoint(dialects.audiences(claims)):
        return "its aud does not name this resource server"
    if not isinstance(claims.get("token_introspection"), Mapping):
        return "its token_introspection is not an object"
    return None


def _time_problem(claims: Mapping[str, Any], now: float, max_age: float, leeway: int) -> str | None:
    """Refuse an answer that was not made for the request just sent: it may be one about another token or of the past.

    `exp` should not be there, and counts if it is (RFC 7519 §4.1.4).
    """
    if not is_time(claims.get("iat")) or not all(is_time(claims.get(name, 0)) for name in ("exp", "nbf")):
        return "it has no iat, or a time is malformed"
    if claims["iat"] < now - max_age - leeway or claims.get("exp", now) < now - leeway:
        return "it is of the past"
    if max(claims["iat"], claims.get("nbf", 0)) > now + leeway:
        return "it is of the future"
    return None
