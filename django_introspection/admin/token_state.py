"""The state of a token in words and as a query: each token is in one state."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q, QuerySet
from django.utils.translation import pgettext_lazy

from ..models import Client, Token
from ..protocol.answer import Reason
from ..user_models import user_has_column


class State(models.TextChoices):
    """The state of a token: active, or the reason why it is not."""

    ACTIVE = "active", pgettext_lazy("token", "active")
    EXPIRED = "expired", pgettext_lazy("token", "expired")
    REVOKED = "revoked", pgettext_lazy("token", "revoked")
    NOT_YET_VALID = "not-yet-valid", pgettext_lazy("token", "not yet valid")
    CLIENT_DISABLED = "client-disabled", pgettext_lazy("token", "client disabled")
    OWNER_DISABLED = "owner-disabled", pgettext_lazy("token", "owner disabled")


_OF_REASON = {
    None: State.ACTIVE,
    Reason.EXPIRED: State.EXPIRED,
    Reason.REVOKED: State.REVOKED,
    Reason.NOT_YET_VALID: State.NOT_YET_VALID,
    Reason.CLIENT_INACTIVE: State.CLIENT_DISABLED,
    Reason.USER_INACTIVE: State.OWNER_DISABLED,
}

ORDER: dict[str, str] = {State.EXPIRED: "-expires_at", State.REVOKED: "-revoked_at", State.NOT_YET_VALID: "-not_before"}
"""The order of a list of one state if an index has the state; the other lists are ordered by ID, which is by age."""


def state_of(token: Token, at: datetime) -> State:
    """Return the state of a token."""
    return _OF_REASON[token.inactive_reason(at)]


def in_state(tokens: QuerySet[Token], state: str, at: datetime) -> QuerySet[Token]:
    """Return the tokens that are in a state, by the rules of `Token.inactive_reason`."""
    if state == State.REVOKED:
        return tokens.filter(revoked_at__isnull=False)
    tokens = tokens.filter(revoked_at=None)
    if state == State.EXPIRED:
        return tokens.filter(expires_at__lte=at)
    tokens = tokens.filter(expires_at__gt=at)
    if state == State.NOT_YET_VALID:
        return tokens.filter(not_before__gt=at)
    tokens = tokens.filter(Q(not_before=None) | Q(not_before__lte=at))
    if state == State.CLIENT_DISABLED:
        return tokens.filter(client__in=Client.objects.filter(is_active=False))
    tokens = tokens.filter(client__is_active=True)
    has_column = user_has_column("is_active")
    if state == State.OWNER_DISABLED:
        return tokens.filter(user__is_active=False) if has_column else tokens.none()
    return tokens.filter(Q(user=None) | Q(user__is_active=True)) if has_column else tokens
