"""The events that receivers get: one for each token that ends, written in the transaction that ends it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from secrets import token_hex
from typing import Any
from uuid import UUID

from django.db import router

from ..conf import introspection_settings
from ..protocol.security_event import SESSION_REVOKED, VERIFICATION
from ..revocations import RevocableToken
from .models import SentEvent, SentStream

BATCH = 500
"""Rows of one statement."""
DAY = 24 * 60 * 60


class Outbox:
    """The recorder of ended tokens for receivers (see `revocations.Recorder`)."""

    def record_end(self, tokens: Sequence[RevocableToken], *, again: bool) -> None:
        """Write an event for each stream and token; one that was written before is not written again."""
        keys = _names(tokens)
        issuer = introspection_settings.ISSUER
        if not keys or issuer is None:
            return
        using, now, txn = database(), int(time.time()), token_hex(16)
        streams = list(SentStream.objects.using(using).filter(is_active=True))
        rows = [
            SentEvent(
                stream=stream,
                name=jti.hex,
                claims=revoked_claims(issuer, jti, now, txn),
                created_at=now,
                expires_at=expires_at,
            )
            for stream in streams
            for jti, expires_at in keys.items()
        ]
        SentEvent.objects.using(using).bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)

    def record_return(self, tokens: Sequence[RevocableToken]) -> None:
        """Take back the events that no receiver has got yet; one that has got its event goes on to refuse the token."""
        names = [jti.hex for jti in _names(tokens)]
        for start in range(0, len(names), BATCH):
            waiting = SentEvent.objects.using(database()).filter(done_at=None, name__in=names[start : start + BATCH])
            waiting.delete()


def database() -> str:
    """Return the alias of the database with the events."""
    return router.db_for_write(SentEvent)


def revoked_claims(issuer: str, jti: UUID, moment: int, txn: str) -> dict[str, Any]:
    """Return the claims of the event about one token: CAEP session-revoked about a `jwt_id` (SSF 1.0 §3.4.1)."""
    subject = {"format": "jwt_id", "iss": issuer, "jti": str(jti)}
    return {"sub_id": subject, "txn": txn, "events": {SESSION_REVOKED: {"event_timestamp": moment}}}


def write_verification(stream: SentStream) -> str:
    """Write a verification event for a receiver and return its state (SSF 1.0 §8.1.4); raises django.db.Error."""
    state, now = token_hex(16), int(time.time())
    subject = {"format": "opaque", "id": str(stream.identifier)}
    SentEvent.objects.using(database()).create(
        stream=stream,
        name=f"verification:{state}",
        claims={"sub_id": subject, "events": {VERIFICATION: {"state": state}}},
        created_at=now,
        expires_at=now + DAY,
    )
    return state


def purge_events() -> int:
    """Delete the events of tokens that have expired, and return how many."""
    deleted, _ = SentEvent.objects.using(database()).filter(expires_at__lt=int(time.time())).delete()
    return deleted


def _names(tokens: Sequence[RevocableToken]) -> dict[UUID, int]:
    """Return the `jti` and the expiry of our own tokens; those of other packages have none that a receiver knows."""
    keys = ((getattr(token, "pk", None), token.expires_at) for token in tokens)
    return {pk: int(expires_at.timestamp()) for pk, expires_at in keys if isinstance(pk, UUID)}
