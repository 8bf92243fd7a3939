"""The pages that revoke a token, its grant, the selected tokens, or all tokens of a user."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..authorization_server.revoking import ended_with, revoke_grant, revoke_tokens, revoke_user_tokens
from ..models import Token, TokenKind
from .history import REVOKED, REVOKED_OF_USER
from .once import waits_for_lock
from .pages import back, object_page, own_page, page, url
from .revoking import Effect, how_revoked, live_tokens, operator_name, report_revocation
from .users import find_user

MAX_SELECTED = 500
"""Tokens that one confirmation may name; for more there is the command."""


@object_page("view_token", "revoke_token")
@waits_for_lock
def revoke_view(model_admin: ModelAdmin[Token], request: HttpRequest, token: Token) -> HttpResponse:
    """Revoke a token or its whole grant, after showing what each of them ends."""
    if request.method == "POST":
        revoke_and_report(model_admin, request, [token], whole_grant="grant" in request.POST)
        return back(model_admin, request, token)
    context = {
        "title": _("Revoke token"),
        "subtitle": token,
        "object": token,
        "how_revoked": how_revoked(token),
        "alone": Effect(ended_with([token])),
        "grant": Effect(Token.objects.on_primary().filter(grant_id=token.grant_id)),
    }
    return page(model_admin, request, "token/revoke", context)


@own_page("view_token", "revoke_token")
@waits_for_lock
def revoke_user_view(model_admin: ModelAdmin[Token], request: HttpRequest, user_id: str) -> HttpResponse:
    """Revoke every token of a user, after showing how many there are."""
    user = find_user(user_id)
    if user is None:
        text = _("The user does not exist. Nothing was changed.")
        return back(model_admin, request, None, messages.WARNING, text)
    if request.method != "POST":
        context = {
            "title": _("Revoke all tokens"),
            "subtitle": user,
            "user_of_tokens": user,
            "tokens": live_tokens(user=user),
        }
        return page(model_admin, request, "token/revoke_user", context)
    chosen = Token.objects.on_primary().filter(user=user)
    report_revocation(request, chosen, lambda: revoke_user_tokens(user, by=None, who=operator_name(request)))
    _log(request, user, REVOKED_OF_USER)
    return HttpResponseRedirect(f"{url(model_admin, 'changelist')}?user={user.pk}")


def revoke_selected(
    model_admin: ModelAdmin[Token], request: HttpRequest, selected: QuerySet[Token]
) -> HttpResponse | None:
    """Revoke the selected tokens, after showing how many end with them."""
    tokens = list(selected.order_by("-pk")[: MAX_SELECTED + 1])
    if len(tokens) > MAX_SELECTED:
        too_many = ngettext(
            "More than %(count)d token is selected. Nothing was changed. Select fewer, or use the command.",
            "More than %(count)d tokens are selected. Nothing was changed. Select fewer, or use the command.",
            MAX_SELECTED,
        )
        messages.warning(request, too_many % {"count": MAX_SELECTED})
        return None
    if "confirmed" in request.POST:
        gone = len(set(request.POST.getlist(ACTION_CHECKBOX_NAME)) - {str(token.pk) for token in tokens})
        revoke_and_report(model_admin, request, tokens)
        if gone:
            text = ngettext(
                "%(count)d of the tokens does not exist any more.",
                "%(count)d of the tokens do not exist any more.",
                gone,
            )
            messages.warning(request, text % {"count": gone})
        return None
    context = {
        "title": _("Revoke tokens"),
        "tokens": tokens,
        "effect": Effect(ended_with(tokens)),
        "refresh_tokens": sum(token.kind == TokenKind.REFRESH for token in tokens),
        "checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return page(model_admin, request, "token/revoke_selected", context)


def revoke_and_report(
    model_admin: ModelAdmin[Token], request: HttpRequest, tokens: list[Token], *, whole_grant: bool = False
) -> bool:
    """Revoke, note it in the history of each token that ends, and report; returns whether the cache answered."""
    grant_id, who = tokens[0].grant_id, operator_name(request)
    chosen = Token.objects.on_primary().filter(grant_id=grant_id) if whole_grant else ended_with(tokens)
    live = [token.pk for token in chosen.filter(revoked_at=None).only("pk")]
    if whole_grant:
        answered = report_revocation(request, chosen, lambda: revoke_grant(grant_id, by=None, who=who))
    else:
        answered = report_revocation(request, chosen, lambda: revoke_tokens(tokens, by=None, who=who))
    ended = chosen.filter(pk__in=live, revoked_by=who).only("pk")
    LogEntry.objects.log_actions(str(request.user.pk), ended, CHANGE, REVOKED)
    return answered


def _log(request: HttpRequest, obj: Any, message: str) -> None:
    LogEntry.objects.log_actions(str(request.user.pk), [obj], CHANGE, message)
