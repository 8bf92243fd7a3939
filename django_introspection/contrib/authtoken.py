"""Tokens of Django REST framework's `rest_framework.authtoken`, as they are in its table.

Its table has the tokens in clear text. Here a value is compared in memory and named by its digest in every cache; it
is never logged.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cache
from typing import Any

from django.db import router
from django.db.models.signals import post_delete
from django.utils.crypto import constant_time_compare
from rest_framework.authtoken.models import Token

from ..authorization_server.revoking import revoke_tokens
from ..backends.options import Options
from ..exceptions import InvalidBackend
from ..models import Token as OwnToken
from ..models.lookups import whole_rows_by
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.jwt import token_identity
from ..revocations import Tombstone
from .project_tokens import ProjectTokenBackend, tombstone_expiry
from .watching import LEFT, Watch

__all__ = ["AuthtokenBackend", "write_tombstones"]

logger = logging.getLogger("django_introspection")

DELETED = "deletion of the token of rest_framework.authtoken"
"""The text in `revoked_by` of the copy of a token that was deleted."""


class AuthtokenBackend(ProjectTokenBackend):
    """Look tokens up by their key, with the user in the same statement. They do not expire."""

    def configure(self, options: Options) -> None:
        """Take the scope; raises InvalidBackend without the app of the tokens."""
        super().configure(options)
        if Token._meta.abstract:
            raise InvalidBackend(f"{self.place} needs 'rest_framework.authtoken' in INSTALLED_APPS.")

    def look_up(self, token: str) -> Answer:
        """Return the meaning of a value; one that is too long for the column takes no statement."""
        if len(token) > _longest_key():
            return Inactive(Reason.UNKNOWN)
        row = _row(token)
        # a collation may see fewer differences than we do
        if row is None or not constant_time_compare(row.key, token):
            return Inactive(Reason.UNKNOWN)
        return self.answer_for_user(row.user, created=row.created)


def connect() -> None:
    """Watch the tokens, and end their copies with them; calling it again changes nothing."""
    _watch.connect(Token)
    post_delete.connect(_end_copy, sender=Token, dispatch_uid=f"{__name__}._end_copy")


def write_tombstones(tokens: Iterable[Token]) -> None:
    """Write the tombstones of tokens that end without a signal; raises IntrospectionUnavailable."""
    _watch.write_tombstones(tokens)


def _end_copy(instance: Any, **_: Any) -> None:
    """Revoke the copy that `adopting` has made of a token: deleting the original means the value."""
    if instance.key:
        copies = list(OwnToken.objects.on_primary().filter(digest=token_identity(instance.key)))
        try:
            if copies:
                revoke_tokens(copies, by=None, who=DELETED)
        except IntrospectionUnavailable:  # the copy is revoked in the table, and the tombstone follows
            logger.error(LEFT)


def _row(token: str) -> Any:
    lookup = whole_rows_by(Token, "key", "user")
    if lookup is not None:
        return lookup.get(token)
    rows = Token._default_manager.using(router.db_for_write(Token))
    return next(iter(rows.filter(key=token).select_related("user")[:1]), None)


@cache
def _longest_key() -> int:
    return Token._meta.get_field("key").max_length or 0


def _tombstone(token: Any) -> Tombstone | None:
    return Tombstone(token_identity(token.key), tombstone_expiry(None)) if token.key else None


_watch = Watch(_tombstone, {"key"})
