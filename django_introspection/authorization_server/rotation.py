"""Refreshing: one use of a refresh token, then the next one (RFC 6749 §6, RFC 9700 §4.14.2)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, NoReturn
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import F

from ..backends.database import find
from ..conf import introspection_settings
from ..models import Client, Token, TokenKind
from ..models.fields import now
from ..models.locking import keep, lock_in_order
from ..protocol.authorization_details import with_details
from ..protocol.errors import IntrospectionUnavailable, InvalidGrant
from ..protocol.form import Form
from ..protocol.scope import format_scope
from ..signals import refresh_token_reused
from .authorization_details import details_of_grant
from .issuing import IssuedToken, access_token_lifetime, announce, bound_to, create, create_refresh_token
from .jwt_access_tokens import require_signing
from .resources import narrow_grant
from .revoking import revoke_grant, revoke_tokens

logger = logging.getLogger("django_introspection")

REUSE = "reuse of a refresh token"
REPLACED = "repeat of a refresh within REFRESH_GRACE"
"""The texts in `revoked_by` of tokens that this module ends."""
REFUSED = "The refresh token is not valid."


def refresh(client: Client, form: Form, cnf: Mapping[str, str]) -> IssuedToken:
    """Exchange a refresh token for an access token and the next refresh token; raises OAuthError.

    The access token is bound to the keys that `cnf` names, else to those of its grant. The refresh token is bound to
    the client alone, which has authenticated (RFC 9449 §5, RFC 8705 §4).

    A used token that comes again is in two hands, one of them a thief's, so everything of its grant is revoked, and
    ReusedRefreshToken or ReusedWithoutCache is raised.
    """
    presented = _presented(client, form.require("refresh_token"))
    lapse = presented.lapse_reason(now())
    if lapse and presented.rotated_at is None:
        raise _refusal(client, lapse)
    using = Token.objects.on_primary().db
    with transaction.atomic(using=using):
        keep(presented.client, presented.user, using=using)
        issued = None
        replaced = None if lapse else [] if _claim(presented) else _claim_answer(presented)
        if replaced is not None:
            issued = _next_tokens(presented, form, cnf)
        if replaced:  # last, because no rollback takes back a tombstone and a signal
            _revoke_replaced(replaced, client)
    if issued is not None:
        return announce(*issued)
    if presented.rotated_at is not None:
        _end_grant(presented, client)
    raise _refusal(client, "revoked")


class ReusedRefreshToken(InvalidGrant):
    """A used refresh token came again, and its grant was ended."""

    def __init__(self, grant_id: UUID) -> None:
        super().__init__(REFUSED, detail=REUSE)
        self.grant_id = grant_id


class ReusedWithoutCache(IntrospectionUnavailable):
    """A used refresh token came again, and its grant was ended, but tombstones could not be written."""

    def __init__(self, grant_id: UUID) -> None:
        super().__init__("the cache of revocations does not answer")
        self.grant_id = grant_id


def end_grant_again(grant_id: UUID, client: Client) -> None:
    """End a grant once more when its request is over: a transaction around the request may have undone it."""
    try:
        ended = revoke_grant(grant_id, by=client, who=REUSE)
    except IntrospectionUnavailable:  # the tokens are revoked, and their tombstones follow
        ended = 1
    except DatabaseError as error:
        logger.error("a grant could not be ended again grant=%s: %s", grant_id, type(error).__name__)
        return
    if ended:
        undone = "a transaction around the request undid the end of a grant, which was ended again grant=%s client=%s"
        logger.error(undone, grant_id, client.client_id)


def _presented(client: Client, value: str) -> Token:
    """Find the refresh token; one of another client is left as it is."""
    found = find(value)
    if found is None or found.kind != TokenKind.REFRESH or found.client_id != client.pk:
        raise _refusal(client, "unknown, not a refresh token or not the client's")
    return found


def _claim(presented: Token) -> bool:
    """Use the token up, for one caller only.

    The first statement of its transaction on SQLite, which takes its write lock here; the others lock the row.
    """
    at = now()
    unused = Token.objects.on_primary().filter(pk=presented.pk, revoked_at=None)
    return unused.update(revoked_at=at, rotated_at=at) == 1


def _claim_answer(presented: Token) -> list[Token] | None:
    """Use up the successor of a token that comes again within REFRESH_GRACE, and return the access tokens to revoke.

    Return None if there is no grace or no unused successor. A write that changes nothing locks the row, so that repeats
    come one after the other. An honest client never got the successor, so if it comes as well, it is in two hands.
    """
    tokens = Token.objects.on_primary()
    row = tokens.filter(pk=presented.pk)
    row.update(rotated_at=F("rotated_at"))
    presented.rotated_at = row.values_list("rotated_at", flat=True).first()
    if not _in_grace(presented.rotated_at):
        return None
    at, answer = now(), tokens.filter(predecessor=presented.pk)
    lock_in_order(tokens.filter(pk__in=list(answer.values_list("pk", flat=True))))
    successor = answer.filter(kind=TokenKind.REFRESH, revoked_at=None)
    if successor.update(revoked_at=at, rotated_at=at, revoked_by=REPLACED) != 1:
        return None
    return list(answer.filter(kind=TokenKind.ACCESS))


def _revoke_replaced(tokens: list[Token], client: Client) -> None:
    """Revoke the access tokens of an answer that was lost; a cache that fails does not undo the refresh."""
    try:
        revoke_tokens(tokens, by=client, who=REPLACED)
    except IntrospectionUnavailable:
        logger.error("the tokens of a repeated refresh are revoked; caches follow when they answer again")


def _in_grace(rotated_at: datetime | None) -> bool:
    """Return whether a repeat may be an honest one; never without grace, even if the clocks of two machines differ."""
    grace = introspection_settings.REFRESH_GRACE
    return grace > 0 and rotated_at is not None and now() < rotated_at + timedelta(seconds=grace)


class _Next(NamedTuple):
    rows: list[Token]
    access_token: str
    refresh_token: str


def _next_tokens(presented: Token, form: Form, cnf: Mapping[str, str]) -> _Next:
    """Make an access token for the requested part, and a refresh token of the whole grant (RFC 6749 §6, RFC 8707 §2.2).

    Raises OAuthError, with which the transaction undoes the use.
    """
    scope, audience = narrow_grant(presented, presented.client, form.get("scope"), form.all("resource"))
    require_signing(presented.client, audience)
    details = details_of_grant(presented, presented.client, form, audience)
    at = now()
    end = presented.grant_expires_at or presented.expires_at
    grant = {
        "client": presented.client,
        "user": presented.user,
        "members": presented.members,
        "grant_id": presented.grant_id,
        "issued_at": at,
        "predecessor": presented,
    }
    access, access_token = create(
        TokenKind.ACCESS,
        min(at + access_token_lifetime(presented.client), end),
        {
            **grant,
            "scope": format_scope(scope),
            "audience": audience,
            "members": {**with_details(presented.members, details), **bound_to(cnf)},
        },
    )
    whole = {**grant, "scope": presented.scope, "audience": presented.audience}
    successor, refresh_token = create_refresh_token(whole, end)
    return _Next([access, successor], access_token, refresh_token)


def _end_grant(presented: Token, client: Client) -> NoReturn:
    """Revoke the grant, outside of the transaction of the refresh: its lock on one token must not wait for others."""
    try:
        revoke_grant(presented.grant_id, by=client, who=REUSE)
    except IntrospectionUnavailable:
        raise ReusedWithoutCache(presented.grant_id) from None
    finally:
        refresh_token_reused.send_robust(Token, grant_id=presented.grant_id, client=client)
    raise ReusedRefreshToken(presented.grant_id)


def _refusal(client: Client, reason: str) -> InvalidGrant:
    logger.info("refresh refused client=%s: %s", client.client_id, reason)
    return InvalidGrant(REFUSED, detail=reason)
