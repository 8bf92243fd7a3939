"""The members that real authorization servers use instead of those of RFC 7662 and RFC 9068.

Each function reads evidence from the members of an answer or the claims of a JWT. A member of the wrong type is no
evidence, and nothing is derived from a value such as the name of a client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .scope import is_scope_token

Members = Mapping[str, Any]

TOKEN_TYPE_URN = "urn:ietf:params:oauth:token-type:"
"""How an identifier of a kind of token begins (RFC 8693 §3)."""
_CLIENT = ("client_id", "azp", "cid", "appid")
"""RFC 7662 §2.2; OpenID Connect Core §2; Okta; Microsoft Entra ID, version 1."""
_NAMES = ("username", "preferred_username", "upn", "unique_name")
"""RFC 7662 §2.2; OpenID Connect Core §5.1; Microsoft Entra ID, version 1."""
_NAMED_KINDS = ("token_type", "token_use", "tokenType", "tok_type", "tokenName")
"""RFC 7662 §2.2; Hydra, Cognito and this package; Casdoor; Oracle; ForgeRock. Each has no other purpose."""
_POSSIBLE_KINDS = ("typ", "purpose", "type")
"""Keycloak; Curity; Flask-JWT-Extended. Other servers write other things there."""
KINDS = (*_NAMED_KINDS, *_POSSIBLE_KINDS)
"""The members that can name the kind of a token."""
_ACCESS_KINDS = frozenset({"bearer", "dpop", "access", "accesstoken", "at", "at+jwt"})
"""Schemes (RFC 6749 §7.1), and the kinds that servers write instead, as `_plain` spells them."""
_FORMAT = "jwt"
"""The `token_type` of a JWT of WSO2: its format, which does not show its kind."""
_OTHER_KINDS = frozenset(
    {
        *("refresh", "refreshtoken", "offline", "offlinetoken", "rt+jwt", "id", "idtoken", "id+jwt", "idtoken+jwt"),
        *("logout", "logouttoken", "logout+jwt", "backchannellogout", "serializedid", "secevent+jwt", "dpop+jwt"),
        *("registration", "initialaccesstoken", "registrationaccesstoken", "clientauthentication+jwt"),
        *("authorizationcode", "tokenintrospection+jwt", "saml1", "saml2"),
    }
)
"""Kinds of token that never open a view, as `_plain` spells them."""
HASHES = frozenset({"at_hash", "c_hash"})
"""Hashes of what was issued with a token (OpenID Connect Core §3.3.2.11): ID tokens, and authentik's refresh tokens."""
REFRESH_MARK: Members = {"token_use": "refresh_token"}
"""The member that marks a refresh token in our own answers: `token_type` has no value for one (RFC 6749 §7.1)."""


def scope_tokens(members: Members) -> tuple[str, ...]:
    """Return the scope tokens of `scope`, or if there is no such member, of `scp`; each a string or a list."""
    value = members.get("scope")
    if value is None:
        value = members.get("scp")
    if isinstance(value, str):
        return tuple(filter(None, value.split(" ")))
    return tuple(value) if value is not None and is_scope_list(value) else ()


def is_scope_list(value: Any) -> bool:
    """Return whether a value is a list of scope tokens, as Duende, Okta and Hydra write it."""
    return isinstance(value, (list, tuple)) and all(isinstance(token, str) and is_scope_token(token) for token in value)


def audiences(members: Members, claim: str = "aud") -> tuple[str, ...]:
    """Return the audiences that a claim names: a string, or a list of strings."""
    value = members.get(claim)
    if isinstance(value, str):
        return (value,)
    is_list = isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)
    return tuple(value) if value and is_list else ()


def client_identifier(members: Members) -> str | None:
    """Return the client that a token was issued to."""
    return _first_string(members, _CLIENT)


def display_name(members: Members) -> str | None:
    """Return a name to show to people. It is no identity, because people can change it."""
    return _first_string(members, _NAMES)


def is_access_token(members: Members) -> bool | None:
    """Return whether the members say that this is an access token, None if they do not say.

    If any member names another kind of token, or hashes a token that it came with, the result is False, whatever the
    other members say.
    """
    is_named = False
    for name in _NAMED_KINDS:
        value = members.get(name)
        if value is not None and (kind := _plain(value)) != _FORMAT:
            if kind not in _ACCESS_KINDS:
                return False
            is_named = True
    for name in _POSSIBLE_KINDS:
        if name in members:
            kind = _plain(members[name])
            if kind in _OTHER_KINDS:
                return False
            is_named = is_named or kind in _ACCESS_KINDS
    if not HASHES.isdisjoint(members):
        return False
    return True if is_named else None


def _plain(value: Any) -> str:
    """Return a kind in one spelling: `refresh_token`, `Refresh-Token` and `refreshToken` are the same."""
    if not isinstance(value, str):
        return ""
    plain = value.lower().removeprefix(TOKEN_TYPE_URN).removeprefix("application/")
    return plain.replace("_", "").replace("-", "").replace(" ", "")


def _first_string(members: Members, names: Iterable[str]) -> str | None:
    for name in names:
        value = members.get(name)
        if isinstance(value, str):
            return value
    return None
