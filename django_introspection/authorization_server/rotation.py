"""Refreshing: one use of a refresh token, then the next one (RFC 6749 §6, RFC 9700 §4.14.2)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from ..backends.database import find
from ..conf import introspection_settings
from ..models import Client, Token, TokenKind
from ..models.fields import now
from ..protocol.errors import InvalidGrant
from ..protocol.form import Form
from ..protocol.scope import format_scope
from ..signals import refresh_token_reused
from .issuing import IssuedToken, access_token_lifetime, announce, create, create_refresh_token
from .jwt_access_tokens import require_signing
from .resources import narrow_grant
from .revoking import revoke_grant

REUSE = "reuse of a refresh token"
REPLACED = "repeat of a refresh within REFRESH_GRACE"
"""What `revoked_by` says of tokens that this module ends."""


def refresh(client: Client, form: Form) -> IssuedToken:
    """Exchange a refresh token for an access token and the next refresh token; raises OAuthError.

    A used token that comes again is in two hands, one of them a thief's, so everything of its grant is revoked.
    """
    presented = _presented(client, form.require("refresh_token"))
    lapse = presented.lapse_reason(now())
    if lapse and presented.rotated_at is None:
        raise _refusal(lapse)
    with transaction.atomic(using=Token.objects.on_primary().db):
        issued = None
        if not lapse and (_claim(presented) or _take_back_successor(presented)):
            issued = _next_tokens(presented, form)
    if issued is not None:
        return announce(*issued)
    if presented.rotated_at is not None:
        _end_grant(presented, client)
    raise _refusal("used or revoked")


def _presented(client: Client, value: str) -> Token:
    """Find the refresh token; one of another client is left as it is."""
    found = find(value)
    if found is None or found.kind != TokenKind.REFRESH or found.client_id != client.pk:
        raise _refusal("unknown, not a refresh token or not the client's")
    return found


def _claim(presented: Token) -> bool:
    """Use the token up, for one caller only.

    The first statement of its transaction: here SQLite takes its write lock, the others the lock of the row.
    """
    at = now()
    unused = Token.objects.on_primary().filter(pk=presented.pk, revoked_at=None)
    return unused.update(revoked_at=at, rotated_at=at) == 1


def _take_back_successor(presented: Token) -> bool:
    """Revoke the unused successor of a token that comes again within REFRESH_GRACE.

    A write that changes nothing locks the row, so that repeats come one after the other.
    """
    tokens = Token.objects.on_primary()
    row = tokens.filter(pk=presented.pk)
    row.update(rotated_at=F("rotated_at"))
    presented.rotated_at = row.values_list("rotated_at", flat=True).first()
    if not _in_grace(presented.rotated_at):
        return False
    return tokens.filter(predecessor=presented.pk, revoked_at=None).update(revoked_at=now(), revoked_by=REPLACED) == 1


def _in_grace(rotated_at: datetime | None) -> bool:
    """Tell whether a repeat may be an honest one; without grace never, whatever the clocks of two machines say."""
    grace = introspection_settings.REFRESH_GRACE
    return grace > 0 and rotated_at is not None and now() < rotated_at + timedelta(seconds=grace)


class _Next(NamedTuple):
    rows: list[Token]
    access_token: str
    refresh_token: str


def _next_tokens(presented: Token, form: Form) -> _Next:
    """Make an access token of what is asked for, and a refresh token of the whole grant (RFC 6749 §6, RFC 8707 §2.2).

    Raises OAuthError, with which the transaction undoes the use.
    """
    scope, audience = narrow_grant(presented, form.get("scope"), form.all("resource"))
    require_signing(presented.client, audience)
    at = now()
    end = presented.grant_expires_at or presented.expires_at
    grant = {
        "client": presented.client,
        "user": presented.user,
        "members": presented.members,
        "grant_id": presented.grant_id,
        "issued_at": at,
    }
    access, access_token = create(
        TokenKind.ACCESS,
        min(at + access_token_lifetime(presented.client), end),
        {**grant, "scope": format_scope(scope), "audience": audience},
    )
    whole = {**grant, "scope": presented.scope, "audience": presented.audience, "predecessor": presented}
    successor, refresh_token = create_refresh_token(whole, end)
    return _Next([access, successor], access_token, refresh_token)


def _end_grant(presented: Token, client: Client) -> None:
    """Revoke the grant, outside of the transaction of the request: its lock on one token must not wait for others."""
    try:
        revoke_grant(presented.grant_id, by=client, who=REUSE)
    finally:
        refresh_token_reused.send_robust(Token, grant_id=presented.grant_id, client=client)


def _refusal(detail: str) -> InvalidGrant:
    return InvalidGrant("The refresh token is not good.", detail=detail)
