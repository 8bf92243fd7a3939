"""What a JWT must say to be an access token of its issuer (RFC 9068 §4); its times and audience are judged like any."""

from __future__ import annotations

from .answer import Active, Answer, Inactive, Reason
from .explanation import quoted
from .introspection import wrong_member
from .jwt import ACCESS_TOKEN_TYPE, UnverifiedJWT
from .token_info import TokenInfo

_UNTYPED = frozenset({None, "jwt", ACCESS_TOKEN_TYPE})
"""The header `typ` of servers that do not follow RFC 9068; any other names another kind of JWT."""
_FOREIGN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events", "token_introspection", "htm", "htu"})
"""Claims of ID tokens, logout tokens, introspection responses and DPoP proofs; no access token needs one."""
_OWN_CLAIMS = frozenset({"scope", "scp", "client_id", "cid", "gty", "permissions"})
"""Claims by which access tokens differ from ID tokens where no type does."""


def read_access_token(jwt: UnverifiedJWT, *, typed: bool) -> Answer:
    """Return what a JWT with a good signature says; `typed` asks for the type `at+jwt`, as RFC 9068 does.

    Without that, a JWT must look like an access token by its claims. A claim that is null counts as absent.
    """
    if not (jwt.media_type == ACCESS_TOKEN_TYPE if typed else _looks_like_access_token(jwt)):
        expected = f"typ {quoted([ACCESS_TOKEN_TYPE])}" if typed else "the claims of an access token"
        return Inactive(Reason.NOT_AN_ACCESS_TOKEN, expected, f"typ {quoted([jwt.media_type])}")
    claims = {name: value for name, value in jwt.claims.items() if value is not None}
    if "exp" not in claims or wrong_member(claims):
        return Inactive(Reason.MALFORMED)
    return Active(TokenInfo({"token_type": "Bearer"} | claims))


def _looks_like_access_token(jwt: UnverifiedJWT) -> bool:
    if jwt.media_type == ACCESS_TOKEN_TYPE:
        return True
    claims = jwt.claims
    if jwt.media_type not in _UNTYPED or not _FOREIGN_CLAIMS.isdisjoint(claims):
        return False
    marked = claims.get("typ") == "Bearer" or claims.get("token_use") == "access"  # Keycloak, Cognito
    return marked or not _OWN_CLAIMS.isdisjoint(claims)
