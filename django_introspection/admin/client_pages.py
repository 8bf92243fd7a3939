"""The pages that disable and enable clients and revoke their tokens; each asks before it acts."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import router, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..authorization_server.ending import are_caches_behind
from ..authorization_server.revoking import revoke_client_tokens
from ..models import Client, Token
from .history import DISABLED, ENABLED, REVOKED_OF_CLIENT
from .once import waits_for_lock
from .pages import back, object_page, page
from .revoking import live_tokens, operator_name, report_revocation


@object_page("view_client", "change_client")
@waits_for_lock
def activity_view(model_admin: ModelAdmin[Client], request: HttpRequest, client: Client) -> HttpResponse:
    """Disable a client, or enable it again."""
    if request.method != "POST":
        context = {
            "title": _("Disable client") if client.is_active else _("Enable client"),
            "subtitle": client,
            "object": client,
            "tokens": live_tokens(client=client),
        }
        return page(model_admin, request, "client/activity", context)
    wanted = request.POST.get("is_active") == "1"
    _set_active(model_admin, request, client, wanted)
    enabled = _("%(client)s was enabled. It can authenticate, and its unexpired tokens are active again.")
    disabled = _("%(client)s was disabled. It cannot authenticate, and its tokens are inactive.")
    text = (enabled if wanted else disabled) % {"client": client}
    _warn_of_late_caches(request)
    return back(model_admin, request, client, messages.SUCCESS, text)


def _set_active(model_admin: ModelAdmin[Client], request: HttpRequest, client: Client, wanted: bool) -> bool:
    """Enable or disable a client, note it in its history, and return whether this changed anything."""
    primary = router.db_for_write(Client)
    with transaction.atomic(using=primary):
        locked = Client.objects.using(primary).select_for_update().filter(pk=client.pk, is_active=not wanted).first()
        if locked is None:
            return False
        locked.is_active = wanted
        locked.save(update_fields=["is_active"])
        model_admin.log_change(request, client, ENABLED if wanted else DISABLED)
    return True


@object_page("view_client", "revoke_token")
@waits_for_lock
def revoke_view(model_admin: ModelAdmin[Client], request: HttpRequest, client: Client) -> HttpResponse:
    """Revoke every token of a client, after showing how many there are."""
    if request.method != "POST":
        context = {
            "title": _("Revoke all tokens"),
            "subtitle": client,
            "object": client,
            "tokens": live_tokens(client=client),
        }
        return page(model_admin, request, "client/revoke", context)
    report_revocation(
        request,
        Token.objects.on_primary().filter(client=client),
        lambda: revoke_client_tokens(client, by=None, who=operator_name(request)),
    )
    model_admin.log_change(request, client, REVOKED_OF_CLIENT)
    return back(model_admin, request, client)


def set_active_selected(
    model_admin: ModelAdmin[Client], request: HttpRequest, selected: QuerySet[Client], *, wanted: bool
) -> HttpResponse | None:
    """Enable or disable the selected clients, after showing which they are."""
    clients = list(selected.filter(is_active=not wanted))
    if not clients:
        already = (
            _("The selected clients are enabled already.")
            if wanted
            else _("The selected clients are disabled already.")
        )
        messages.info(request, already)
        return None
    if "confirmed" not in request.POST:
        context: dict[str, Any] = {
            "title": _("Enable clients") if wanted else _("Disable clients"),
            "clients": [(client, live_tokens(client=client)) for client in clients],
            "action": "enable_clients" if wanted else "disable_clients",
            "wanted": wanted,
            "checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return page(model_admin, request, "client/activity_selected", context)
    count = sum(_set_active(model_admin, request, client, wanted) for client in clients)
    if wanted:
        text = ngettext("%(count)d client was enabled.", "%(count)d clients were enabled.", count)
    else:
        text = ngettext("%(count)d client was disabled.", "%(count)d clients were disabled.", count)
    messages.success(request, text % {"count": count})
    _warn_of_late_caches(request)
    return None


def _warn_of_late_caches(request: HttpRequest) -> None:
    if are_caches_behind():
        late = _("The cache of revocations does not answer. Resource servers notice the change when it answers again.")
        messages.warning(request, late)
