"""Deleting the tokens of a client or a user, of whom there may be very many."""

from __future__ import annotations

import sys
from typing import Any

from django.db.models import CASCADE, ProtectedError
from django.db.models.deletion import Collector
from django.utils.translation import gettext as _

SHOWN = 100
"""Tokens that the admin lists before it deletes their client or user."""


def delete_tokens(collector: Collector, field: Any, tokens: Any, using: str) -> None:
    """Delete tokens with their client or user by one statement; CASCADE would load each of them.

    Their tombstones are written before, when the client or the user is about to be deleted. The admin collects what it
    shows in the same way: it gets the first tokens, and is refused while the cache of revocations does not answer.
    """
    if collector.can_fast_delete(tokens):
        collector.fast_deletes.append(tokens)
    elif not _only_shows(collector):  # signals of the project need each row
        CASCADE(collector, field, tokens, using)
    else:
        _show(collector, field, tokens, using)


delete_tokens.lazy_sub_objs = True  # type: ignore[attr-defined]  # how Django asks not to load them


def _show(collector: Collector, field: Any, tokens: Any, using: str) -> None:
    from ..authorization_server.ending import are_tombstones_written

    first: Any = list(tokens[:SHOWN])
    if first and not are_tombstones_written():
        raise ProtectedError(_("The cache of revocations does not answer."), set(first))
    CASCADE(collector, field, first, using)


def _only_shows(collector: Collector) -> bool:
    """Return whether this is the admin's collector, which deletes nothing; the admin need not be installed."""
    admin = sys.modules.get("django.contrib.admin.utils")
    return admin is not None and isinstance(collector, admin.NestedObjects)
