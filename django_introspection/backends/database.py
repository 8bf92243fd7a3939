"""Tokens of this project's own database."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.db import Error as DatabaseError

from ..conf import introspection_settings
from ..keys import signed_here
from ..models import Token, TokenKind
from ..models.lookups import KeptLookup, records_by_digest, tokens_by_digest
from ..models.token_record import TokenRecord
from ..protocol.answer import Active, Answer, Inactive, Reason
from ..protocol.dialects import REFRESH_MARK
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import IntrospectionUnavailable, database_failure
from ..protocol.jwt import ACCESS_TOKEN_TYPE, MalformedJWT, looks_like_jwt, parse_jwt, token_identity
from ..protocol.presented import Presented
from ..protocol.token_info import TokenInfo
from .base import TokenBackend
from .subjects import client_subject, user_name, user_subject

T = TypeVar("T")

PERSONAL_TOKENS = "personal-tokens"
"""The ID of the client of every personal token, which is reserved for them."""


def _refuse_without_app(record: TokenRecord) -> TokenRecord:
    """Raise IntrospectionUnavailable: a process without the app does not know what the owner may still do."""
    raise IntrospectionUnavailable("personal tokens need the app django_introspection.personal_tokens")


narrowed_clients: dict[str, Callable[[TokenRecord], TokenRecord]] = {PERSONAL_TOKENS: _refuse_without_app}
"""By client ID: the function that returns the record of a token of the client with the rights that it has now.

Such a token may lose rights while it lives, so no copy of them is made: it is neither a JWT nor exchanged for another.
"""


class DatabaseBackend(TokenBackend):
    """Look tokens up by digest: one statement, and none for a value that this server cannot have issued."""

    is_remote = False

    @property
    def identity_issuer(self) -> str:
        """The setting ISSUER; the alias alone without it."""
        return introspection_settings.ISSUER or super().identity_issuer

    @conceal_locals
    def introspect(self, token: str) -> Answer:
        """Ask the database; raises IntrospectionUnavailable if it does not answer."""
        return answer_for_token(token)


@dataclass(frozen=True, slots=True, repr=False)
class LookedUp:
    """What another statement has found under the digest of a token: its record, None if there is none."""

    token: Presented
    digest: bytes
    record: TokenRecord | None


def answer_for_token(token: str, looked_up: LookedUp | None = None) -> Answer:
    """Return what a value means as a token of either kind; raises IntrospectionUnavailable.

    It makes no statement if the value has been looked up already.
    """
    known = looked_up if looked_up is not None and looked_up.token.value == token else None
    token_digest = claimed_digest(token) if known is None else known.digest
    if token_digest is None or not _may_be_issued_here(token):
        return Inactive(Reason.MALFORMED)
    found = _with_digest(records_by_digest(), token_digest) if known is None else known.record
    if found is None:
        return Inactive(Reason.UNKNOWN)
    if reason := found.inactive_reason(int(time.time())):
        return Inactive(reason)
    if narrow := narrowed_clients.get(found.client_id):
        found = narrow(found)
    return Active(describe_token(found), found.user)


def find(token: str) -> Token | None:
    """Return the row of a value, None if there is none; raises IntrospectionUnavailable."""
    token_digest = stored_digest(token)
    return None if token_digest is None else _with_digest(tokens_by_digest(), token_digest)


def stored_digest(token: str) -> bytes | None:
    """Return the digest under which a value would be stored, None if it cannot be a token of this server."""
    token_digest = claimed_digest(token)
    return token_digest if token_digest is not None and _may_be_issued_here(token) else None


def claimed_digest(token: str) -> bytes | None:
    """Return the same digest without looking at the signature that a JWT claims to have.

    For a JWT that is the digest of its signing input: an altered signature can stay valid, and would make another token
    that was never revoked.
    """
    return token_identity(token) if introspection_settings.TOKEN_PREFIX.may_be_token(token) else None


def _may_be_issued_here(token: str) -> bool:
    """Return whether a value is no JWT, or an access token that this server signed (RFC 9068 §4, RFC 8725 §3.12)."""
    if not looks_like_jwt(token):
        return True
    try:
        jwt = parse_jwt(token)
    except MalformedJWT:
        return False
    return jwt.media_type == ACCESS_TOKEN_TYPE and signed_here(jwt)


def _with_digest(lookup: KeptLookup[T], token_digest: bytes) -> T | None:
    try:
        return lookup.get(token_digest)
    except DatabaseError as error:
        raise database_failure(error) from error


def describe_token(token: TokenRecord) -> TokenInfo:
    """Return every known member of a token (RFC 7662 §2.2).

    Raises IntrospectionUnavailable if a function of the project fails that names its user.
    """
    settings = introspection_settings
    user, client_id = token.user, token.client_id
    members = {
        **token.members,
        "scope": token.scope,
        "client_id": client_id,
        "username": user_name(user) if user else None,
        "token_type": token_type(token),
        "exp": token.expires_at,
        "iat": token.issued_at,
        "nbf": token.not_before,
        "sub": user_subject(user, client_id) if user else client_subject(client_id),
        "aud": token.audience,
        "iss": settings.ISSUER,
        "jti": str(token.id),
        **({} if token.kind == TokenKind.ACCESS else REFRESH_MARK),
    }
    return TokenInfo({name: value for name, value in members.items() if value not in (None, "", [])})


def token_type(token: Token | TokenRecord) -> str | None:
    """Name the scheme (RFC 6749 §7.1): none for a refresh token, DPoP for a key-bound one (RFC 9449 §6.2)."""
    if token.kind != TokenKind.ACCESS:
        return None
    return "DPoP" if "jkt" in token.members.get("cnf", {}) else "Bearer"
