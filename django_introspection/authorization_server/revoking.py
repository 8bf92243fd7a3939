"""Ending tokens, at once (RFC 7009 §2.1)."""

from __future__ import annotations

from django.db import transaction

from ..models import Client, Token, TokenKind
from ..models.fields import now
from ..signals import token_revoked


def revoke(token: Token, *, by: Client | None) -> None:
    """Revoke a token, and with a refresh token every token of its grant."""
    tokens = Token.objects.on_primary()
    of_grant = tokens.filter(grant_id=token.grant_id)
    chosen = of_grant if token.kind == TokenKind.REFRESH else of_grant.filter(pk=token.pk)
    with transaction.atomic(using=tokens.db):
        revoked = list(chosen.filter(revoked_at=None).values_list("pk", flat=True))
        tokens.filter(pk__in=revoked, revoked_at=None).update(revoked_at=now())
    if revoked:
        token_revoked.send_robust(Token, tokens=revoked, client=by)
