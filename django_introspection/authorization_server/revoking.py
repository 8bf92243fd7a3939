"""Ending tokens, at once and wherever answers about them are cached (RFC 7009 §2.1).

Every function returns how many tokens it ended. It raises IntrospectionUnavailable where the cache of REVOCATIONS
cannot be written: the tokens are revoked all the same, and doing it again writes what is missing.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from .. import revocations
from ..conf import introspection_settings
from ..models import Client, Token, TokenKind
from ..models.fields import now
from ..protocol.errors import IntrospectionUnavailable
from ..signals import token_revoked

BATCH = 500
"""Tokens in one statement, one call to the cache and one signal."""


def revoke_token(token: Token, *, by: Client | None) -> int:
    """Revoke a token, and with a refresh token every token of its grant."""
    if token.kind == TokenKind.REFRESH:
        return revoke_grant(token.grant_id, by=by)
    return _revoke(Token.objects.on_primary().filter(pk=token.pk), by)


def revoke_grant(grant_id: UUID, *, by: Client | None) -> int:
    """Revoke every token of a grant, those of a refresh that is under way included."""
    return _revoke(Token.objects.on_primary().filter(grant_id=grant_id), by)


def revoke_client_tokens(client: Client, *, by: Client | None) -> int:
    """Revoke every token of a client."""
    return _revoke(Token.objects.on_primary().filter(client=client), by)


def revoke_user_tokens(user: Any, *, by: Client | None) -> int:
    """Revoke every token that was issued for a user."""
    return _revoke(Token.objects.on_primary().filter(user=user), by)


def _revoke(chosen: QuerySet[Token], by: Client | None) -> int:
    """Revoke until a fresh look finds nothing that is live.

    A refresh that has claimed its token and not committed may add tokens after any one look. What it claimed is
    still live in that look, the UPDATE waits for it, and the next look finds what it added. Where a transaction
    around us looks at one unchanging snapshot, the same tokens come again; they are done.
    """
    tombstones = _Tombstones()
    live = chosen.filter(revoked_at=None).only("digest", "kind", "expires_at").order_by("pk")
    revoked = 0
    before: list[Token] = []
    while (batch := list(live[:BATCH])) and batch != before:
        revoked += _revoke_batch(batch, by, tombstones, using=chosen.db)
        before = batch
    transaction.on_commit(partial(tombstones.write_again, chosen), using=chosen.db)
    if tombstones.failure:
        raise tombstones.failure
    return revoked


def _revoke_batch(batch: list[Token], by: Client | None, tombstones: _Tombstones, *, using: str) -> int:
    """Revoke tokens in a transaction that begins with its write: a read first would let SQLite refuse the lock."""
    primary = Token.objects.on_primary()
    with transaction.atomic(using=using):
        changed = primary.filter(pk__in=[token.pk for token in batch], revoked_at=None).update(revoked_at=now())
        tombstones.write(batch)
    if changed:
        token_revoked.send_robust(Token, tokens=[token.pk for token in batch], client=by)
    return changed


class _Tombstones:
    """Write tombstones, and go on without them from the first failure: each one may take the cache's whole timeout."""

    def __init__(self) -> None:
        self.failure: IntrospectionUnavailable | None = None

    def write(self, tokens: list[Token]) -> None:
        at = now()
        if self.failure is None:
            try:
                revocations.write(token for token in tokens if token.kind == TokenKind.ACCESS and token.expires_at > at)
            except IntrospectionUnavailable as failure:
                self.failure = failure

    def write_again(self, chosen: QuerySet[Token]) -> None:
        """Write the tombstones of all that was chosen and is revoked by now.

        A cache may have lost the first ones before the commit, and an earlier revocation may have failed to write its
        own.
        """
        if introspection_settings.REVOCATIONS is None:
            return
        dead = chosen.filter(kind=TokenKind.ACCESS, revoked_at__isnull=False, expires_at__gt=now()).order_by("pk")
        page = list(dead[:BATCH])
        while page and self.failure is None:
            self.write(page)
            page = list(dead.filter(pk__gt=page[-1].pk)[:BATCH])
