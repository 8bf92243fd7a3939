"""Issuing a token by hand: its value is in the one answer that made it, and nowhere else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.admin import ModelAdmin
from django.contrib.auth import get_user_model
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import IntegrityError, router, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ..authorization_server.issuing import IssuedToken, issue
from ..models import Client, Token
from ..models.fields import uuid7, validate_resources, validate_scope
from .client_forms import LinesField
from .pages import ISSUE, page, permission_page

FORM_LIFE = 60 * 60
"""Seconds for which an open form can be sent."""
MAX_LIFETIME = 366 * 24 * 60 * 60
_SALT = "introspection.issue"


class IssueForm(forms.Form):
    """For whom, for what and for how long. Client and user are typed: there may be thousands."""

    ticket = forms.CharField(widget=forms.HiddenInput)
    client_id = forms.CharField(
        label=_("Client ID"), max_length=255, widget=forms.TextInput(attrs={"class": "vTextField"})
    )
    username = forms.CharField(
        label=_("User name"),
        max_length=255,
        required=False,
        help_text=_("Empty: a token of the client itself."),
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )
    scope = forms.CharField(
        label=_("Scope"),
        required=False,
        validators=[validate_scope],
        help_text=_("Scopes with one space between."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    audience = LinesField(
        label=_("Audience"),
        required=False,
        help_text=_("Resources that the token is for: absolute URIs, one on each line."),
    )
    lifetime = forms.IntegerField(
        label=_("Lifetime"),
        required=False,
        min_value=1,
        max_value=MAX_LIFETIME,
        help_text=_("Seconds. Empty: as long as other access tokens of the client."),
    )

    def clean_client_id(self) -> Client:
        """Find the client."""
        client = Client.objects.filter(client_id=self.cleaned_data["client_id"]).first()
        if client is None:
            raise ValidationError(_("There is no client with this ID."))
        if not client.is_active:
            raise ValidationError(_("This client is disabled: its tokens would not be active."))
        return client

    def clean_username(self) -> Any:
        """Find the user."""
        name = self.cleaned_data["username"]
        if not name:
            return None
        users = get_user_model()
        try:
            user = users._default_manager.get_by_natural_key(name)
        except users.DoesNotExist:
            raise ValidationError(_("There is no user with this name.")) from None
        if not user.is_active:
            raise ValidationError(_("This user is disabled: the token would not be active."))
        return user

    def clean_audience(self) -> list[str]:
        """Refuse what is no resource."""
        validate_resources(self.cleaned_data["audience"])
        audience: list[str] = self.cleaned_data["audience"]
        return audience


@sensitive_variables("issued")
def issue_view(model_admin: ModelAdmin[Token], request: HttpRequest) -> HttpResponse:
    """Ask what to issue, and show the new token in the answer to the form."""
    if refused := permission_page(model_admin, request, ISSUE):
        return refused
    if request.method != "POST":
        return _form_page(model_admin, request, IssueForm(initial=_initial(request)))
    form = IssueForm(request.POST)
    try:
        token_id = _redeem(request)
    except signing.BadSignature:
        form = IssueForm(_with_new_ticket(request))
        form.add_error(None, _("This form was open for too long. Nothing was issued: check it and send it again."))
        return _form_page(model_admin, request, form)
    if used := Token.objects.on_primary().filter(pk=token_id).first():
        return _already(model_admin, request, used)
    if not form.is_valid():
        return _form_page(model_admin, request, form)
    try:
        issued = _issue(model_admin, request, form.cleaned_data, token_id)
    except ValidationError as problem:
        form.add_error(None, problem)
        return _form_page(model_admin, request, form)
    except IntegrityError:  # sent twice at once, or the client or user is gone
        if used := Token.objects.on_primary().filter(pk=token_id).first():
            return _already(model_admin, request, used)
        form.add_error(None, _("The client or the user was deleted meanwhile. Nothing was issued."))
        return _form_page(model_admin, request, form)
    context = {"title": _("New token"), "issued": issued, "token": issued.token}
    return page(model_admin, request, "issued", context)


def _issue(model_admin: ModelAdmin[Token], request: HttpRequest, chosen: dict[str, Any], token_id: UUID) -> IssuedToken:
    with transaction.atomic(using=router.db_for_write(Token)):
        issued = issue(
            client=chosen["client_id"],
            user=chosen["username"],
            scope=chosen["scope"],
            audience=chosen["audience"],
            lifetime=timedelta(seconds=chosen["lifetime"]) if chosen["lifetime"] else None,
            token_id=token_id,
        )
        model_admin.log_addition(request, issued.token, "Issued.")
    return issued


def _already(model_admin: ModelAdmin[Token], request: HttpRequest, token: Token) -> HttpResponse:
    """Say that the form was used: the value is not shown again, since nobody has it."""
    context = {"title": _("This form was used already"), "token": token}
    return page(model_admin, request, "issued_already", context, status=409)


def _form_page(model_admin: ModelAdmin[Token], request: HttpRequest, form: IssueForm) -> HttpResponse:
    return page(model_admin, request, "issue", {"title": _("Issue token"), "form": form})


def _initial(request: HttpRequest) -> dict[str, Any]:
    chosen = {name: request.GET[name] for name in ("client_id", "username") if name in request.GET}
    return {**chosen, "ticket": _ticket(request)}


def _with_new_ticket(request: HttpRequest) -> Any:
    data = request.POST.copy()
    data["ticket"] = _ticket(request)
    return data


def _ticket(request: HttpRequest) -> str:
    """Choose the ID of the token before the form is sent, so that the database refuses to issue it twice."""
    return signing.dumps([str(uuid7()), str(request.user.pk)], salt=_SALT)


def _redeem(request: HttpRequest) -> UUID:
    """Return the ID that a form was made for; raises BadSignature for one that is too old or another operator's."""
    token_id, user = signing.loads(request.POST.get("ticket", ""), salt=_SALT, max_age=FORM_LIFE)
    if user != str(request.user.pk):
        raise signing.BadSignature
    return UUID(token_id)
