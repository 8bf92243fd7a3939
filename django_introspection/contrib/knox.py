"""Tokens of django-rest-knox, as they are in its table: their SHA-512 digests, by default."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import router
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from knox.models import get_token_model
from knox.settings import knox_settings

from ..protocol.answer import Answer, Inactive, Reason
from ..revocations import Tombstone
from ..user_models import is_active_user
from .project_tokens import ProjectTokenBackend, is_over, tombstone_expiry
from .seen_tokens import identity_of, remember
from .watching import Watch

__all__ = ["KnoxBackend", "write_tombstones"]
KIND = "knox"


class KnoxBackend(ProjectTokenBackend):
    """Look tokens up by their digest, with the user in the same statement.

    With AUTO_REFRESH a token is renewed when it is asked about, as by the authentication class of knox.
    """

    def look_up(self, token: str) -> Answer:
        """Return the meaning of a value; an expired token stays in the table, and knox deletes it."""
        answer, row = self._judge(hash_token(token))
        if answer and remember(KIND, row.digest, token, tombstone_expiry(row.expiry)):
            answer, row = self._judge(row.digest)
        return answer

    def _judge(self, digest: str) -> tuple[Answer, Any]:
        row = _row(digest)
        if row is None:
            return Inactive(Reason.UNKNOWN), None
        if is_over(row.expiry):
            return Inactive(Reason.EXPIRED), row
        if is_active_user(row.user) and knox_settings.AUTO_REFRESH and row.expiry:
            TokenAuthentication().renew_token(row)
        return self.answer_for_user(row.user, created=row.created, expires=row.expiry), row


def connect() -> None:
    """Watch the tokens; calling it again changes nothing."""
    _watch.connect(get_token_model())


def write_tombstones(tokens: Iterable[Any]) -> None:
    """Write the tombstones of tokens that end without a signal; raises IntrospectionUnavailable."""
    _watch.write_tombstones(tokens)


def _row(digest: str) -> Any:
    model = get_token_model()
    rows = model._default_manager.using(router.db_for_write(model)).filter(digest=digest).select_related("user")
    row = next(iter(rows[:1]), None)
    return row if row is not None and row.digest == digest else None


def _mark(token: Any) -> Tombstone | None:
    """Name a token by its own digest, from which the identity is found when it ends."""
    return Tombstone(str(token.digest).encode(), tombstone_expiry(token.expiry)) if token.digest else None


_watch = Watch(_mark, {"digest", "expiry"}, identity_of(KIND))
