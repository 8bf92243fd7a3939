"""Writing the ends of tokens into the feed, in the transactions that end them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from django.db import router, transaction
from django.db.models import Max

from .. import revocations
from ..models import Token
from ..notices import notify
from ..revocations import RevocableToken
from . import channel
from .models import Ending
from .news import news

BATCH = 500
"""Rows of one statement."""


class FeedRecorder:
    """The recorder of the feed."""

    def record_end(self, tokens: Sequence[RevocableToken], *, again: bool) -> None:
        """Record the ends of access tokens; with `again` only of those that are not recorded as ended."""
        known = _recorded({token.digest for token in tokens}) if again else frozenset()
        _write([token for token in tokens if token.digest not in known], is_return=False)

    def record_return(self, tokens: Sequence[RevocableToken]) -> None:
        """Record that access tokens are active again, those alone whose ends are recorded."""
        known = _recorded({token.digest for token in tokens})
        _write([token for token in tokens if token.digest in known], is_return=True)


_recorder = FeedRecorder()


def connect() -> None:
    """Begin to record; a second call changes nothing."""
    if _recorder not in revocations.recorders:
        revocations.recorders.append(_recorder)


def disconnect() -> None:
    """Stop to record: for tests."""
    revocations.recorders.remove(_recorder)


def database() -> str:
    """Return the alias of the database with the tokens, in whose transactions the rows are written."""
    return router.db_for_write(Token)


def _write(tokens: Sequence[RevocableToken], *, is_return: bool) -> None:
    if not tokens:
        return
    using = database()
    alias, holders = channel.alias_for(using), _holders(tokens, using)
    rows = [
        Ending(
            digest=token.digest,
            is_return=is_return,
            expires_at=token.expires_at,
            **holders.get(token.digest, {}),
        )
        for token in tokens
    ]
    with transaction.atomic(using=using):
        Ending.objects.using(using).bulk_create(rows, batch_size=BATCH)
        notify(using)
        transaction.on_commit(news.arrived, using=using)
        if alias is not None:
            transaction.on_commit(partial(channel.publish, alias), using=using)


def _holders(tokens: Sequence[RevocableToken], using: str) -> dict[bytes, dict[str, Any]]:
    """Return the client and the audience of each token in our tables, which the policy of a caller asks for."""
    found: dict[bytes, dict[str, Any]] = {}
    for page in _pages([token.digest for token in tokens]):
        rows = Token.objects.using(using).filter(digest__in=page)
        for digest, client_id, audience in rows.values_list("digest", "client__client_id", "audience"):
            found[bytes(digest)] = {"client_id": client_id, "audience": audience}
    return found


def _recorded(digests: Iterable[bytes]) -> frozenset[bytes]:
    """Return the identities whose last row says that the token ended."""
    using, found = database(), set[bytes]()
    for page in _pages(list(digests)):
        rows = Ending.objects.using(using).filter(digest__in=page)
        last = rows.order_by().values("digest").annotate(last=Max("pk")).values("last")
        ends = Ending.objects.using(using).filter(pk__in=[row["last"] for row in last], is_return=False)
        found.update(map(bytes, ends.values_list("digest", flat=True)))
    return frozenset(found)


def _pages(digests: list[bytes]) -> Iterable[list[bytes]]:
    return (digests[start : start + BATCH] for start in range(0, len(digests), BATCH))
