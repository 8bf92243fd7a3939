"""A token as an answer needs it: plain values of its row, because every request makes one."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from ..protocol.answer import Reason


class TokenRecord(NamedTuple):
    """The columns from which an answer is made, and the user; moments are seconds since the epoch."""

    id: UUID
    kind: str
    scope: str
    audience: list[str]
    members: dict[str, Any]
    issued_at: int
    not_before: int | None
    expires_at: int
    revoked_at: int | None
    client_id: str
    is_client_active: bool
    user: Any

    def inactive_reason(self, at: int) -> Reason | None:
        """Return why the token is inactive at a moment, None if it is active (RFC 7662 §4)."""
        if self.revoked_at is not None:
            return Reason.REVOKED
        return time_reason(self, at) or holder_reason(self.is_client_active, self.user)


COLUMNS = (
    *("id", "kind", "scope", "audience", "members", "issued_at", "not_before", "expires_at", "revoked_at"),
    *("client__client_id", "client__is_active"),
)
"""The paths of the columns of a record, in its order and without the user."""


def time_reason(token: Any, at: Any) -> Reason | None:
    """Return why a token is outside of its time; `at` is a moment in the form in which the token has its own."""
    if at >= token.expires_at:
        return Reason.EXPIRED
    return Reason.NOT_YET_VALID if token.not_before is not None and at < token.not_before else None


def holder_reason(is_client_active: bool, user: Any) -> Reason | None:
    """Return why the client or the user of a token may not use it."""
    if not is_client_active:
        return Reason.CLIENT_INACTIVE
    # is_active_user(), without a call of its own in every request
    return Reason.USER_INACTIVE if user is not None and not getattr(user, "is_active", True) else None
