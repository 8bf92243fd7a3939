"""The user or the client that a token stands for, read from the members of an answer (RFC 7662 §2.2)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from .token_info import TokenInfo

CLIENT_SUBJECT = "client:"
"""How our `sub` of a client begins if the bare identifier could be the `sub` of a user (RFC 9700 §4.15)."""


_CLIENT_MARKS = (
    ("idtyp", "app"),
    ("gty", "client-credentials"),
    ("grant_type", "client_credentials"),
    ("aut", "APPLICATION"),
)
"""Microsoft Entra ID; Auth0; ForgeRock; WSO2, whose `username` is then the owner of the client."""


class Kind(StrEnum):
    """The member that names a principal, or the token itself. The same name of two kinds names two principals."""

    SUBJECT = "sub"
    USERNAME = "username"
    CLIENT = "client_id"
    TOKEN = "token"


class Principal(NamedTuple):
    """A user or a client, as one issuer names it."""

    kind: Kind
    name: str


def is_client(info: TokenInfo) -> bool:
    """Return whether a client acts for itself, by evidence.

    Evidence is a mark of its server (see `is_marked_as_client`), a `sub` that names the client, or a
    client without a `sub` and without the name of a person. A user name without `sub` names a person.
    """
    if is_marked_as_client(info):
        return True
    if info.client_id is None:
        return False
    if info.sub is None:
        return not info.username
    return info.sub in (info.client_id, CLIENT_SUBJECT + info.client_id)


def is_marked_as_client(info: TokenInfo) -> bool:
    """Return whether the server says by a member of its own that no user is involved.

    Keycloak has the host and the address of a client only in the tokens of its service account, whose `sub` is that of
    a user.
    """
    for name, value in _CLIENT_MARKS:
        if info.get(name) == value:
            return True
    return isinstance(info.get("clientHost"), str) and isinstance(info.get("clientAddress"), str)


def principal_of(info: TokenInfo, token_digest: bytes) -> Principal:
    """Return the user or client that a token names; if it names neither, return a principal for the token itself.

    Every member but `active` is optional. Only the member `username` stands in for `sub`: the other names to show are
    not unique at their issuer.
    """
    if info.client_id and is_client(info):
        return Principal(Kind.CLIENT, info.client_id)
    if info.sub:
        return Principal(Kind.SUBJECT, info.sub)
    username = info.get("username")
    if info.sub is None and isinstance(username, str) and username:
        return Principal(Kind.USERNAME, username)
    return Principal(Kind.TOKEN, token_digest.hex())
