"""Ending tokens, at once (RFC 7009 §2.1)."""

from __future__ import annotations

from django.db import router, transaction

from ..models import Client, Token, TokenKind
from ..models.fields import now
from ..signals import token_revoked


def revoke(token: Token, *, by: Client | None) -> None:
    """Revoke a token, and with a refresh token every token of its grant."""
    primary = Token.objects.using(router.db_for_write(Token))
    of_grant = primary.filter(grant_id=token.grant_id)
    chosen = of_grant if token.kind == TokenKind.REFRESH else of_grant.filter(pk=token.pk)
    with transaction.atomic(using=primary.db):
        revoked = list(chosen.filter(revoked_at=None).values_list("pk", flat=True))
        primary.filter(pk__in=revoked).revoke(now())
    if revoked:
        token_revoked.send_robust(Token, tokens=revoked, client=by)
