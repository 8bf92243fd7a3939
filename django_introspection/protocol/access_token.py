"""The rules by which a JWT is an access token of its issuer (RFC 9068 §4); its times and audience are not checked."""

from __future__ import annotations

from . import dialects
from .answer import Active, Answer, Inactive, Reason
from .explanation import ACCESS_KINDS, found_members, quoted
from .introspection import wrong_member
from .jwt import ACCESS_TOKEN_TYPE, UnverifiedJWT
from .token_info import TokenInfo

REQUIRED_CLAIMS = frozenset({"iss", "exp", "aud", "sub", "client_id", "iat", "jti"})
"""RFC 9068 §2.2."""
_UNTYPED = frozenset({None, "jwt", ACCESS_TOKEN_TYPE})
"""The header `typ` of servers that do not follow RFC 9068; any other value names another kind of JWT."""
_FOREIGN_CLAIMS = frozenset({"at_hash", "c_hash", "s_hash", "events", "token_introspection", "htm", "htu"})
"""Claims of ID tokens, logout tokens, introspection responses and DPoP proofs, which no access token needs."""
_OWN_CLAIMS = frozenset(
    {
        *("scope", "scp", "cid"),  # RFC 9068 §2.2; Okta, Entra ID and Hydra
        *("gty", "permissions"),  # Auth0
        *("idtyp", "azpacr", "appidacr"),  # Microsoft Entra ID
    }
)
"""Claims that access tokens have and ID tokens of the same server do not have.

So is `client_id` (RFC 9068 §2.2), unless `azp` is beside it: ID tokens of ZITADEL have both.
"""

_SCOPES_OF_A_CLIENT = frozenset({"scp", "azp"})
"""What an access token of Azure AD B2C has beside the nonce of the request, and an ID token of it has not."""


def read_access_token(jwt: UnverifiedJWT, *, strict: bool) -> Answer:
    """Return the claims of a JWT whose signature was verified.

    With `strict` it must follow RFC 9068: the type `at+jwt` and every required claim. Otherwise its claims must show
    that it is an access token. A claim that is null counts as absent.
    """
    claims = {name: value for name, value in jwt.claims.items() if value is not None}
    if problem := _problem_of_kind(jwt, claims, strict=strict):
        return Inactive(Reason.NOT_AN_ACCESS_TOKEN, *problem)
    required = REQUIRED_CLAIMS if strict else {"exp"}
    if missing := required - claims.keys():
        option = " (option require_at_jwt)" if strict else ""
        return Inactive(Reason.MALFORMED, f"claims {quoted(sorted(required))}{option}", f"no {quoted(sorted(missing))}")
    if wrong := wrong_member(claims):
        return Inactive(Reason.MALFORMED, f"a valid {wrong}", f"{wrong} {quoted([claims[wrong]])}")
    return Active(TokenInfo({"token_type": "Bearer"} | claims))


def _problem_of_kind(jwt: UnverifiedJWT, claims: dialects.Members, *, strict: bool) -> tuple[str, str] | None:
    """Return the expected and the found evidence of a JWT that is not shown to be an access token, None if it is."""
    if jwt.media_type == ACCESS_TOKEN_TYPE:
        return None
    header = f"header typ {quoted([jwt.header['typ']])}" if "typ" in jwt.header else "no header typ"
    if strict:
        return f"header typ '{ACCESS_TOKEN_TYPE}' (option require_at_jwt)", header
    if jwt.media_type not in _UNTYPED:
        return f"header typ '{ACCESS_TOKEN_TYPE}', 'JWT' or none", header
    if foreign := _FOREIGN_CLAIMS & claims.keys():
        return "no claim of another kind of token", f"claim {quoted(sorted(foreign))}"
    kind = dialects.is_access_token(claims)
    if kind is not None:
        return None if kind else (ACCESS_KINDS, found_members(claims, dialects.KINDS))
    # A nonce is that of an ID token, unless the server names the kind, as Keycloak before version 25 does, or the
    # scopes of the client, as Azure AD B2C does.
    if "nonce" in claims and not claims.keys() >= _SCOPES_OF_A_CLIENT:
        return "no nonce, which is a claim of ID tokens", "claim 'nonce'"
    if not _OWN_CLAIMS.isdisjoint(claims) or _names_its_client_once(claims):
        return None
    return f"a claim of access tokens: {quoted(sorted(_OWN_CLAIMS | {'client_id'}))}", _own_claims_found(claims)


def _own_claims_found(claims: dialects.Members) -> str:
    return "client_id beside azp, as in an ID token" if "client_id" in claims else "none"


def _names_its_client_once(claims: dialects.Members) -> bool:
    return "client_id" in claims and "azp" not in claims
