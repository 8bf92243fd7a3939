"""The pages that add and retire the secrets of a client. A secret is shown once, in the answer that made it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db import IntegrityError, router, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from ..authorization_server.kept_callers import kept_callers
from ..authorization_server.provisioning import rotate_secret
from ..models import Client, ClientSecret
from ..models.fields import now
from .client_forms import client_of_form
from .history import ADDED_SECRET, RETIRED_SECRET
from .once import OnceForm, waits_for_lock
from .pages import back, form_page, is_gone, object_page, page
from .secret_snippets import SECRET, snippets
from .secret_states import states_of, used_since

DAY = 24 * 60 * 60


def _seconds(text: str) -> timedelta:
    return timedelta(seconds=int(text))


class SecretForm(OnceForm):
    """When a new secret expires, and when the present ones do."""

    lifetime = forms.TypedChoiceField(
        label=_("New secret expires"),
        choices=[
            ("", _("never")),
            (30 * DAY, _("in 30 days")),
            (90 * DAY, _("in 90 days")),
            (180 * DAY, _("in 180 days")),
            (365 * DAY, _("in a year")),
        ],
        coerce=_seconds,
        empty_value=None,
        required=False,
    )
    others = forms.TypedChoiceField(
        label=_("Other secrets expire"),
        choices=[
            ("", _("as they do now; retire them yourself")),
            (60 * 60, _("in an hour")),
            (DAY, _("in a day")),
            (7 * DAY, _("in a week")),
            (30 * DAY, _("in 30 days")),
        ],
        coerce=_seconds,
        empty_value=None,
        required=False,
        help_text=_("Until then the client may use either, so it can change over without a pause."),
    )


@object_page("view_client", "change_client")
@waits_for_lock
def secret_view(model_admin: ModelAdmin[Client], request: HttpRequest, client: Client) -> HttpResponse:
    """Add a secret beside the live ones, and show it."""
    if not client.has_secrets:
        text = _("This client does not authenticate by a secret.")
        return back(model_admin, request, client, messages.WARNING, text)
    form = SecretForm(request.POST if request.method == "POST" else None)
    live = [state for state in states_of(client, now()) if state.is_live]
    if not live:
        del form.fields["others"]
    if request.method != "POST" or not form.is_valid():
        context = {"title": _("Add secret"), "subtitle": client, "object": client, "live": live}
        return form_page(model_admin, request, "client/add_secret", form, context)
    chosen, at = form.cleaned_data, now()
    try:
        with transaction.atomic(using=router.db_for_write(Client)):
            shown = show_new_secret(
                model_admin,
                request,
                client,
                chosen["form_id"],
                expires_at=_after(at, chosen["lifetime"]),
                others_expire_at=_after(at, chosen.get("others")),
            )
            model_admin.log_change(request, client, ADDED_SECRET)
    except IntegrityError:
        if not Client.objects.with_id(client.client_id).exists():
            return is_gone(model_admin, request)
        if client_of_form(chosen["form_id"]):
            return was_sent_already(model_admin, request, client)
        raise
    return shown


def _after(at: datetime, life: timedelta | None) -> datetime | None:
    return None if life is None else at + life


def show_new_secret(
    model_admin: ModelAdmin[Client], request: HttpRequest, client: Client, form_id: UUID, **moments: Any
) -> HttpResponse:
    """Make the secret that a form asks for and show it; raises IntegrityError if the form has made one."""
    secret = rotate_secret(client, form_id=form_id, **moments)
    context = {
        "title": _("New secret"),
        "subtitle": client,
        "object": client,
        "secret": secret,
        "snippets": snippets(client, request),
        "placeholder": SECRET,
    }
    return page(model_admin, request, "client/secret", context)


def was_sent_already(model_admin: ModelAdmin[Client], request: HttpRequest, client: Client) -> HttpResponse:
    """Report that a form has done its work before."""
    text = _(
        "This form was sent before, and nothing was made twice. A secret is shown only once: if it was lost, add "
        "another one and retire it."
    )
    return back(model_admin, request, client, messages.WARNING, text)


@object_page("view_client", "change_client")
@waits_for_lock
def retire_view(model_admin: ModelAdmin[Client], request: HttpRequest, client: Client, secret_id: int) -> HttpResponse:
    """Retire a secret, after showing whether another one is in use."""
    at = now()
    states = states_of(client, at)
    state = next((state for state in states if state.secret.pk == secret_id), None)
    if state is None or not state.is_live:
        text = _("This secret had expired already. Nothing was changed.")
        return back(model_admin, request, client, messages.WARNING, text)
    secret = state.secret
    if request.method != "POST":
        context: dict[str, Any] = {
            "title": _("Retire secret"),
            "subtitle": client,
            "object": client,
            "secret": secret,
            "others": [each for each in states if each.is_live and each.secret.pk != secret.pk],
            "used_since": used_since(secret, states),
        }
        return page(model_admin, request, "client/retire", context)
    with transaction.atomic(using=router.db_for_write(Client)):
        ClientSecret.objects.filter(pk=secret.pk).update(expires_at=at)
        kept_callers.forget_after_change(router.db_for_write(Client))
        made = secret.created_at.strftime("%Y-%m-%d %H:%M:%S")
        model_admin.log_change(request, client, RETIRED_SECRET % {"moment": made})
    retired = _("The secret ending in %(hint)s was retired. It is refused from now on.") % {"hint": secret.hint}
    return back(model_admin, request, client, messages.SUCCESS, retired)
