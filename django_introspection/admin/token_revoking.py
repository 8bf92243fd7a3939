"""Revoking in the admin: first what will happen, then that it happened, and by whom."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import formats
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..authorization_server.revoking import ended_with, revoke_grant, revoke_tokens
from ..models import Token, TokenKind
from ..models.fields import now
from ..protocol.errors import IntrospectionUnavailable
from .pages import REVOKE, VIEW, page, permission_page, url

MAX_SELECTED = 500
"""Tokens that one confirmation is for; for more there is the command, which does not need a page that waits."""


def operator_name(request: HttpRequest) -> str:
    """Return what `revoked_by` keeps of an operator."""
    return f"operator {request.user.get_username()}"


def how_revoked(token: Token) -> str | None:
    """Say when and by whom a token was revoked, None where it was not."""
    if token.revoked_at is None:
        return None
    by = token.revoked_by or _("a refresh" if token.rotated_at else "somebody in code or on the command line")
    moment = formats.date_format(token.revoked_at, "DATETIME_FORMAT")
    return str(_("%(moment)s UTC, by %(by)s")) % {"moment": moment, "by": by}


def revoke_view(model_admin: ModelAdmin[Token], request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask whether to revoke a token or its whole grant, and do it."""
    if refused := permission_page(model_admin, request, VIEW) or permission_page(model_admin, request, REVOKE):
        return refused
    token = Token.objects.on_primary().filter(pk=pk).select_related("client", "user").first()
    if token is None:
        messages.warning(request, _("There is no such token any more: it was deleted meanwhile. Nothing was done."))
        return HttpResponseRedirect(url(model_admin, "changelist"))
    if request.method == "POST":
        revoke_and_say(model_admin, request, [token], whole_grant="grant" in request.POST)
        return HttpResponseRedirect(url(model_admin, "change", token.pk))
    context = {
        "title": _("Revoke token"),
        "token": token,
        "how_revoked": how_revoked(token),
        "alone": _Effect(ended_with([token])),
        "grant": _Effect(Token.objects.on_primary().filter(grant_id=token.grant_id)),
    }
    return page(model_admin, request, "revoke", context)


def revoke_selected(
    model_admin: ModelAdmin[Token], request: HttpRequest, selected: QuerySet[Token]
) -> HttpResponse | None:
    """Ask whether to revoke the tokens that were ticked, and do it."""
    tokens = list(selected.order_by("-pk")[: MAX_SELECTED + 1])
    if len(tokens) > MAX_SELECTED:
        too_many = _("These are more than %(count)d tokens. Nothing was done: narrow the list, or use the command.")
        messages.warning(request, too_many % {"count": MAX_SELECTED})
        return None
    if "confirmed" in request.POST:
        gone = len(set(request.POST.getlist(ACTION_CHECKBOX_NAME)) - {str(token.pk) for token in tokens})
        revoke_and_say(model_admin, request, tokens)
        if gone:
            text = ngettext(
                "%(count)d of the tokens was deleted meanwhile.",
                "%(count)d of the tokens were deleted meanwhile.",
                gone,
            )
            messages.warning(request, text % {"count": gone})
        return None
    context = {
        "title": _("Revoke tokens"),
        "tokens": tokens,
        "effect": _Effect(ended_with(tokens)),
        "refresh_tokens": sum(token.kind == TokenKind.REFRESH for token in tokens),
        "checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return page(model_admin, request, "revoke_selected", context)


def revoke_and_say(
    model_admin: ModelAdmin[Token], request: HttpRequest, tokens: list[Token], *, whole_grant: bool = False
) -> None:
    """Revoke, note it in the history of each token that this ends, and say how many there were."""
    chosen = Token.objects.on_primary().filter(grant_id=tokens[0].grant_id) if whole_grant else ended_with(tokens)
    live = list(chosen.filter(revoked_at=None).only("pk"))
    who, all_told = operator_name(request), True
    try:  # the revoked ones as well: their tombstones may be missing
        if whole_grant:
            revoke_grant(tokens[0].grant_id, by=None, who=who)
        else:
            revoke_tokens(tokens, by=None, who=who)
    except IntrospectionUnavailable:
        all_told = False
    _note(request, chosen.filter(pk__in=[token.pk for token in live], revoked_by=who))
    if not live:
        messages.info(request, _("Nothing had to be revoked: no token of these was left that is not revoked."))
    else:
        text = ngettext("%(count)d token was revoked.", "%(count)d tokens were revoked.", len(live))
        messages.success(request, text % {"count": len(live)})
    if not all_told:
        problem = _("The cache of revocations does not answer: answers that others keep live on. Try again.")
        messages.error(request, problem)


def _note(request: HttpRequest, revoked: QuerySet[Token]) -> None:
    LogEntry.objects.log_actions(str(request.user.pk), revoked.only("pk"), CHANGE, "Revoked.")


class _Effect:
    """How many tokens would end, by kind; the revoked ones are done, the expired ones are counted apart."""

    def __init__(self, chosen: QuerySet[Token]) -> None:
        at = now()
        live = list(chosen.filter(revoked_at=None).values_list("kind", "expires_at"))
        kinds = Counter(kind for kind, _expires_at in live)
        self.total = len(live)
        self.expired = sum(expires_at <= at for _kind, expires_at in live)
        self.access_tokens = kinds[TokenKind.ACCESS]
        self.refresh_tokens = kinds[TokenKind.REFRESH]
