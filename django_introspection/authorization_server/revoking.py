"""Ending tokens, at once and also in caches that keep answers about them (RFC 7009 §2.1).

Every function returns the number of tokens that it ended. `who` is the text for `revoked_by`, by default the client
`by`. It raises IntrospectionUnavailable if the cache of REVOCATIONS cannot be written: the tokens are revoked all the
same, and the missing tombstones are written by the next call or when the cache answers again.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from .. import revocations
from ..conf import introspection_settings
from ..models import Client, Token, TokenKind
from ..models.fields import now
from ..models.locking import lock_in_order
from ..models.token import MAX_REVOKED_BY
from ..protocol.errors import IntrospectionUnavailable
from ..signals import token_revoked
from .restoring import restore_if_needed

CACHE_UNAVAILABLE = _(
    "The tokens were revoked, but the cache of revocations did not answer: cached answers and JWTs may still be "
    "accepted. Revoke again when the cache answers."
)
"""The text that admin and command show if a revocation raised IntrospectionUnavailable."""
CLIENT = "client"
"""The first word of `revoked_by` for a client; its ID follows."""
USER = "user"
"""The first word for a user who did it without an operator; the name follows."""
BATCH = 500
"""Tokens in one statement, one call to the cache and one signal."""


def revoke_token(token: Token, *, by: Client | None, who: str = "") -> int:
    """Revoke a token, and with a refresh token every token of its grant."""
    return revoke_tokens([token], by=by, who=who)


def revoke_tokens(tokens: Iterable[Token], *, by: Client | None, who: str = "") -> int:
    """Revoke some tokens, and with each refresh token every token of its grant."""
    return _revoke(ended_with(tokens), by, who)


def ended_with(tokens: Iterable[Token]) -> QuerySet[Token]:
    """Return what is revoked together with some tokens, themselves included."""
    keys, grants = set(), set()
    for token in tokens:
        if token.kind == TokenKind.REFRESH:
            grants.add(token.grant_id)
        else:
            keys.add(token.pk)
    wanted = Q(grant_id__in=grants) if grants else Q(pk__in=keys)
    if grants and keys:
        wanted |= Q(pk__in=keys)
    return Token.objects.on_primary().filter(wanted)


def revoke_grant(grant_id: UUID, *, by: Client | None, who: str = "") -> int:
    """Revoke every token of a grant, those of a refresh that is under way included."""
    return revoke_grants([grant_id], by=by, who=who)


def revoke_grants(grant_ids: Iterable[UUID], *, by: Client | None, who: str = "") -> int:
    """Revoke every token of some grants, those of a refresh that is under way included."""
    return _revoke(Token.objects.on_primary().filter(grant_id__in=list(grant_ids)), by, who)


def revoke_client_tokens(client: Client, *, by: Client | None, who: str = "") -> int:
    """Revoke every token of a client."""
    return _revoke(Token.objects.on_primary().filter(client=client), by, who)


def revoke_user_tokens(
    user: Any, *, client: Client | None = None, by: Client | None, who: str = "", using: str | None = None
) -> int:
    """Revoke every token that was issued for a user, or those of one client alone.

    `using` is the alias of their database, by default the one that the database router names.
    """
    tokens = Token.objects.on_primary() if using is None else Token.objects.using(using)
    chosen = tokens.filter(user=user)
    return _revoke(chosen if client is None else chosen.filter(client=client), by, who)


def revoke_exchanged(tokens: QuerySet[Token], *, who: str) -> int:
    """Revoke every token that was exchanged for one of these, which end in another way."""
    exchanged = _exchanged_for(tokens)
    return _revoke(exchanged, None, who) if exchanged.exists() else 0


def _revoke(chosen: QuerySet[Token], by: Client | None, who: str) -> int:
    """Revoke tokens, then those that were exchanged for them, and so on (RFC 8693)."""
    who = (who or (f"{CLIENT} {by.client_id}" if by else ""))[:MAX_REVOKED_BY]
    tombstones = _Tombstones()
    revoked, has_exchanged = _revoke_all(chosen, by, who, tombstones)
    while has_exchanged:
        chosen = _exchanged_for(chosen)
        ended, has_exchanged = _revoke_all(chosen, by, who, tombstones, looks_deeper=True)
        revoked += ended
    if tombstones.failure:
        raise tombstones.failure
    restore_if_needed()
    return revoked


def _revoke_all(
    chosen: QuerySet[Token], by: Client | None, who: str, tombstones: _Tombstones, *, looks_deeper: bool = False
) -> tuple[int, bool]:
    """Revoke until a fresh look finds no live token; return how many, and whether any was exchanged for one of them.

    A refresh or an exchange that has claimed its token and not committed may add tokens after any one look. What it
    claimed is still live in that look, the UPDATE waits for it, and the next look finds the added tokens. If a
    transaction around us sees one unchanging snapshot, the same tokens come again; they are done. A look that is not
    full is followed by one for exchanged tokens as well, in the same statement.
    """
    alone = _live(chosen)
    with_exchanged = alone.union(_live(_exchanged_for(chosen)), all=True)
    revoked, has_exchanged = 0, False
    before: list[Token] = []
    while True:
        batch = list((with_exchanged if looks_deeper else alone).order_by("pk")[:BATCH])
        if batch and batch != before:
            revoked += _revoke_batch(batch, by, who, tombstones, using=chosen.db)
            has_exchanged = has_exchanged or looks_deeper
        elif looks_deeper:
            break
        looks_deeper, before = looks_deeper or len(batch) < BATCH or batch == before, batch
    transaction.on_commit(partial(tombstones.write_again, chosen), using=chosen.db)
    return revoked, has_exchanged


def _live(tokens: QuerySet[Token]) -> QuerySet[Token]:
    return tokens.filter(revoked_at=None).only("digest", "kind", "expires_at")


def _exchanged_for(tokens: QuerySet[Token]) -> QuerySet[Token]:
    """Return the live access tokens that were exchanged for some access tokens; none outlives its subject token."""
    access = Token.objects.using(tokens.db).filter(kind=TokenKind.ACCESS, expires_at__gt=now())
    subjects = tokens.filter(kind=TokenKind.ACCESS, expires_at__gt=now())
    return access.filter(predecessor__in=subjects.values("pk"))


def _revoke_batch(batch: list[Token], by: Client | None, who: str, tombstones: _Tombstones, *, using: str) -> int:
    """Revoke tokens in a transaction that begins with locks.

    On SQLite it begins with its write: a read first would let SQLite refuse the lock.
    """
    with transaction.atomic(using=using):
        chosen = Token.objects.using(using).filter(pk__in=[token.pk for token in batch])
        if len(batch) > 1:
            lock_in_order(chosen)
        changed = chosen.filter(revoked_at=None).update(revoked_at=now(), revoked_by=who)
        revocations.record_end(_needed(batch))
        tombstones.write(batch)
    if changed:
        token_revoked.send_robust(Token, tokens=[token.pk for token in batch], client=by, who=who)
    return changed


def _needed(tokens: list[Token]) -> list[Token]:
    """Return the access tokens that a cache could still hold."""
    at = now()
    return [token for token in tokens if token.kind == TokenKind.ACCESS and token.expires_at > at]


class _Tombstones:
    """Write tombstones, and go on without them from the first failure: each one may take the cache's whole timeout."""

    def __init__(self) -> None:
        self.failure: IntrospectionUnavailable | None = None

    def write(self, tokens: list[Token]) -> None:
        if self.failure is None:
            try:
                revocations.write_tombstones(_needed(tokens))
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
