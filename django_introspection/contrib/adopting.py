"""Tokens of `rest_framework.authtoken`, copied into the table of this app by their digests; the values stay the same.

A copy is made while the original is locked, so that a token that is deleted meanwhile has no copy that is active, and
the original stays until it is removed on purpose. So each token is in at least one of the two tables at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import router, transaction
from django.db.models import QuerySet
from rest_framework.authtoken.models import Token as Original

from ..models import Client, Token, TokenKind
from ..models.fields import now, validate_resources, validate_scope
from ..protocol.jwt import token_identity
from .stored_times import aware

BATCH = 500
"""Tokens of one transaction."""


class Adopted(NamedTuple):
    """How many tokens were copied, and how many had a copy already."""

    copied: int
    known: int


def adopt(*, client: Client, scope: str, audience: Sequence[str], lifetime: timedelta) -> Adopted:
    """Copy every token that has no copy yet, as an access token of a client that expires after `lifetime`.

    A token keeps its user and its time of issue. Raises ValidationError for a malformed scope or audience, and
    DatabaseError; then the batches before stay, and another call goes on from there.
    """
    validate_scope(scope)
    validate_resources(list(audience))
    grant = {"client": client, "scope": scope, "audience": list(audience), "kind": TokenKind.ACCESS}
    copied = known = 0
    for keys in _pages():
        with transaction.atomic(using=router.db_for_write(Original)):
            originals: dict[bytes, Any] = {token_identity(each.key): each for each in _locked(keys)}
            missing = originals.keys() - _copies(originals)
            expires_at = now() + lifetime
            Token.objects.on_primary().bulk_create(
                [
                    Token(
                        **grant,
                        digest=digest,
                        user_id=originals[digest].user_id,
                        issued_at=aware(originals[digest].created),
                        expires_at=expires_at,
                    )
                    for digest in missing
                ]
            )
        copied, known = copied + len(missing), known + len(originals) - len(missing)
    return Adopted(copied, known)


def remove_originals() -> int:
    """Delete the originals that have a copy, and return how many.

    No signal is sent for them: the token goes on to live as its copy, and a tombstone would end it.
    """
    removed = 0
    for keys in _pages():
        with transaction.atomic(using=router.db_for_write(Original)):
            originals = {token_identity(original.key): original.key for original in _locked(keys)}
            done = [originals[digest] for digest in _copies(originals)]
            rows: Any = _originals().filter(key__in=done)
            removed += rows._raw_delete(rows.db) if done else 0
    return removed


def _originals() -> QuerySet[Original]:
    return Original._default_manager.using(router.db_for_write(Original))


def _pages() -> Iterator[list[str]]:
    """Yield the keys of all originals in their order."""
    keys = _originals().order_by("key").values_list("key", flat=True)
    page = list(keys[:BATCH])
    while page:
        yield page
        page = list(keys.filter(key__gt=page[-1])[:BATCH])


def _locked(keys: Sequence[str]) -> QuerySet[Original]:
    """Return the originals that still exist, locked: a deletion waits, and then finds their copies."""
    return _originals().select_for_update().filter(key__in=keys)


def _copies(digests: Any) -> set[bytes]:
    return set(Token.objects.on_primary().filter(digest__in=list(digests)).values_list("digest", flat=True))
