"""The common parts of the pages that revoke tokens: counts, the report, and the name of the operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..authorization_server.ending import DELETION, LEAK, PASSWORD_CHANGE
from ..authorization_server.revoking import CACHE_UNAVAILABLE, CLIENT, USER
from ..authorization_server.rotation import REPLACED, REUSE
from ..models import Token, TokenKind
from ..models.fields import now
from ..protocol.errors import IntrospectionUnavailable
from .display import moment_text

OPERATOR = "operator"
"""The first word of `revoked_by` for an operator; the name follows."""
_EVENTS = {
    DELETION: _("%(moment)s, by the deletion of its client or user, or of the token that it was exchanged for"),
    PASSWORD_CHANGE: _("%(moment)s, by a change of password"),
    LEAK: _("%(moment)s, by the report of a leak"),
    REPLACED: _("%(moment)s, by a repeated refresh within REFRESH_GRACE"),
    REUSE: _("%(moment)s, because a refresh token was used twice"),
}


def operator_name(request: HttpRequest) -> str:
    """Return what `revoked_by` keeps of an operator."""
    return f"{OPERATOR} {request.user.get_username()}"


def how_revoked(token: Token) -> str | None:
    """Return when and by whom a token was revoked, or None if it was not revoked."""
    if token.revoked_at is None:
        return None
    text, name = _by_whom(token)
    return str(text) % {"moment": moment_text(token.revoked_at), "name": name}


def _by_whom(token: Token) -> tuple[Any, str]:
    """Return the text for the kind of `revoked_by`, which is stored in English, and the name in it."""
    kind, _space, name = token.revoked_by.partition(" ")
    if kind == OPERATOR and name:
        return _("%(moment)s, by the operator %(name)s"), name
    if kind == CLIENT and name:
        return _("%(moment)s, by the client %(name)s"), name
    if kind == USER and name:
        return _("%(moment)s, by the user %(name)s"), name
    if not token.revoked_by:
        return (_("%(moment)s, by a refresh") if token.rotated_at else _("%(moment)s, by Python code")), ""
    return _EVENTS.get(token.revoked_by, _("%(moment)s (%(name)s)")), token.revoked_by


def live_tokens(**owner: Any) -> dict[str, int]:
    """Count the tokens of a client or a user that are neither revoked nor expired, by kind."""
    live = Token.objects.on_primary().filter(**owner, revoked_at=None, expires_at__gt=now())
    return {kind.value: live.filter(kind=kind).count() for kind in TokenKind}


def report_revocation(request: HttpRequest, chosen: QuerySet[Token], revoke: Callable[[], int]) -> bool:
    """Revoke the chosen tokens, and report how many ended and whether the cache of revocations answered.

    Returns whether it answered. If it did not, the tokens are revoked in the database all the same.
    """
    count = chosen.filter(revoked_at=None, expires_at__gt=now()).count()
    try:
        revoke()  # also if none is left: tombstones of an earlier revocation may be missing
    except IntrospectionUnavailable:
        answered = False
        messages.error(request, CACHE_UNAVAILABLE)
    else:
        answered = True
    if count:
        text = ngettext("%(count)d token was revoked.", "%(count)d tokens were revoked.", count)
        messages.success(request, text % {"count": count})
    else:
        messages.info(request, _("No tokens had to be revoked."))
    return answered


class Effect:
    """How many live tokens a revocation ends, by kind, and how many of the others have expired."""

    def __init__(self, chosen: QuerySet[Token]) -> None:
        at = now()
        left = list(chosen.filter(revoked_at=None).values_list("kind", "expires_at"))
        kinds = Counter(kind for kind, expires_at in left if expires_at > at)
        self.total = kinds.total()
        self.expired = len(left) - self.total
        self.access_tokens = kinds[TokenKind.ACCESS]
        self.refresh_tokens = kinds[TokenKind.REFRESH]
