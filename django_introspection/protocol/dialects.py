"""The members that real authorization servers use instead of those of RFC 7662 and RFC 9068.

Each function reads evidence from the members of an answer or the claims of a JWT. A member of the wrong type is no
evidence, and nothing is derived from a value such as the name of a client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .scope import is_scope_token

Members = Mapping[str, Any]

_URN = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN_TYPES = frozenset({"bearer", "dpop", "access_token", f"{_URN}access_token"})
"""Values of `token_type` in lower case: schemes (RFC 6749 §7.1), and the kinds that some servers write instead."""
_CLIENT = ("client_id", "azp", "cid", "appid")
"""RFC 7662 §2.2; OpenID Connect Core §2; Okta; Microsoft Entra ID, version 1."""
_NAMES = ("username", "preferred_username", "upn", "unique_name")
"""RFC 7662 §2.2; OpenID Connect Core §5.1; Microsoft Entra ID, version 1."""
_KINDS = ("token_use", "typ", "token_type", "tokenName", "purpose")
"""Hydra and Cognito; Keycloak; RFC 7662 §2.2; ForgeRock; Curity."""
_OTHER_KINDS = frozenset(
    {
        *("refresh_token", "refresh", "offline", "offline_token", "id", "id_token", "logout", "logout_token"),
        *("serialized-id", "backchannel-logout", "registration", "initialaccesstoken", "registrationaccesstoken"),
        *("rt+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "client-authentication+jwt"),
        *(f"{_URN}{kind}" for kind in ("refresh_token", "id_token", "saml1", "saml2")),
    }
)
"""Kinds of token that never open a view, in lower case."""
_ACCESS_KINDS = frozenset({"access", "access_token", "bearer", "dpop", "at+jwt", "application/at+jwt"})


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


def client_identifier(members: Members) -> str | None:
    """Return the client that a token was issued to."""
    return _first_string(members, _CLIENT)


def display_name(members: Members) -> str | None:
    """Return a name to show to people. It is no identity, because people can change it."""
    return _first_string(members, _NAMES)


def is_access_token(members: Members) -> bool | None:
    """Return whether the members say that this is an access token, None if they do not say.

    If any member names another kind of token, the result is False, whatever the other members say.
    """
    marks = {value.lower() for name in _KINDS if isinstance(value := members.get(name), str)}
    if marks & _OTHER_KINDS:
        return False
    token_type = members.get("token_type")
    if token_type is not None:
        return isinstance(token_type, str) and token_type.lower() in ACCESS_TOKEN_TYPES
    return True if marks & _ACCESS_KINDS else None


def _first_string(members: Members, names: Iterable[str]) -> str | None:
    for name in names:
        value = members.get(name)
        if isinstance(value, str):
            return value
    return None
