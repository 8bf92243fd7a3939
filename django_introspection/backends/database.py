"""Tokens of this project's own database."""

from __future__ import annotations

from datetime import datetime

from django.db import Error as DatabaseError
from django.views.decorators.debug import sensitive_variables

from ..conf import introspection_settings
from ..models import Token, TokenKind
from ..models.fields import now
from ..protocol.answer import Active, Answer, Inactive, Reason
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.opaque import digest, may_be_token
from ..protocol.token_info import TokenInfo
from .base import TokenBackend


class DatabaseBackend(TokenBackend):
    """Look tokens up by digest: one statement, and none for a value that cannot be ours."""

    @sensitive_variables("token")
    def introspect(self, token: str) -> Answer:
        """Ask the database; raises IntrospectionUnavailable where it does not answer."""
        return look_up(token)


@sensitive_variables("token")
def look_up(token: str) -> Answer:
    """Return what a value means as a token of either kind; raises IntrospectionUnavailable."""
    if not may_be_token(token):
        return Inactive(Reason.MALFORMED)
    found = find(digest(token))
    if found is None:
        return Inactive(Reason.UNKNOWN)
    if reason := found.inactive_reason(now()):
        return Inactive(reason)
    return Active(describe(found), found.user)


def find(token_digest: bytes) -> Token | None:
    """Return the token with a digest; raises IntrospectionUnavailable."""
    try:
        return Token.objects.with_digest(token_digest).get()
    except Token.DoesNotExist:
        return None
    except DatabaseError as error:
        raise IntrospectionUnavailable("the database does not answer") from error


def describe(token: Token) -> TokenInfo:
    """Return every member that is known of a token (RFC 7662 §2.2)."""
    settings = introspection_settings
    user = token.user
    members = {
        **token.members,
        "scope": token.scope,
        "client_id": token.client.client_id,
        "username": user.get_username() if user else None,
        "token_type": _token_type(token),
        "exp": _seconds(token.expires_at),
        "iat": _seconds(token.issued_at),
        "nbf": _seconds(token.not_before),
        "sub": settings.SUBJECT(user) if user else token.client.client_id,
        "aud": token.audience,
        "iss": settings.ISSUER,
        "jti": str(token.pk),
    }
    return TokenInfo({name: value for name, value in members.items() if value not in (None, "", [])})


def _token_type(token: Token) -> str | None:
    """Name the scheme (RFC 6749 §7.1): none for a refresh token, DPoP for a key-bound one (RFC 9449 §6.2)."""
    if token.kind != TokenKind.ACCESS:
        return None
    return "DPoP" if "jkt" in token.members.get("cnf", {}) else "Bearer"


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
