"""Issuing a token by hand: its value is shown once, in the answer to the form."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.admin import ModelAdmin
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, router, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..authorization_server.issuing import IssuedToken, access_token_lifetime, issue
from ..authorization_server.resources import require_own_limits
from ..models import Client, Token
from ..models.fields import validate_resources, validate_scope
from ..protocol.errors import InvalidScope, InvalidTarget
from ..user_models import is_active_user
from .form_fields import ONE_LINE, LinesField, LookUp
from .history import ISSUED
from .once import OnceForm, posted_form_id, waits_for_lock
from .pages import form_page, may, own_page, page

MAX_LIFETIME = 366 * 24 * 60 * 60
"""Seconds."""
BEYOND_LIMITS = "issue_any_token"


class IssueForm(OnceForm):
    """Client, user, scope, audience and lifetime of a new token.

    Client and user are found by Django's autocomplete if the operator may view them, otherwise by their exact names.
    """

    client = forms.ModelChoiceField(
        label=_("Client"),
        queryset=Client.objects.none(),
        to_field_name="client_id",
        widget=forms.TextInput(attrs=ONE_LINE),
        error_messages={"invalid_choice": _("There is no client with this ID.")},
    )
    user: Any = forms.ModelChoiceField(
        label=_("User"),
        queryset=None,
        required=False,
        widget=forms.TextInput(attrs={"class": "vTextField introspection-entry", "autocomplete": "off"}),
        help_text=_("If empty, the token is for the client itself."),
        error_messages={"invalid_choice": _("There is no user with this name.")},
    )
    scope = forms.CharField(
        label=_("Scope"),
        required=False,
        validators=[validate_scope],
        help_text=_("Scopes, separated by spaces."),
        widget=forms.TextInput(attrs=ONE_LINE),
    )
    audience = LinesField(
        label=_("Audience"),
        required=False,
        help_text=_("The resources that the token is for: absolute URIs, one on each line."),
    )
    lifetime = forms.IntegerField(
        label=_("Lifetime"),
        required=False,
        min_value=1,
        max_value=MAX_LIFETIME,
        help_text=_("In seconds. If empty, that of other access tokens of the client."),
        widget=forms.NumberInput(attrs={"class": "vIntegerField introspection-entry"}),
    )

    def __init__(self, model_admin: ModelAdmin[Token], request: HttpRequest, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.operator = request.user
        self.is_limited = not may(model_admin, request, BEYOND_LIMITS)
        users = get_user_model()
        self._choose_from(model_admin, request, "client", Client.objects.all(), "client_id")
        self._choose_from(model_admin, request, "user", users._default_manager.all(), users.USERNAME_FIELD)
        if self.is_limited:
            self.fields["scope"].help_text = _("Scopes that the client may request, separated by spaces.")

    def _choose_from(
        self, model_admin: ModelAdmin[Token], request: HttpRequest, name: str, objects: Any, exact_name: str
    ) -> None:
        """Offer autocomplete if the admin can search the objects and the operator may view them."""
        field: Any = self.fields[name]
        field.queryset = objects
        field.to_field_name = exact_name
        site = model_admin.admin_site
        other = site.get_model_admin(objects.model) if site.is_registered(objects.model) else None
        if other and other.get_search_fields(request) and other.has_view_permission(request):
            field.to_field_name = None
            field.widget = LookUp(Token._meta.get_field(name), site)
            field.widget.is_required = field.required
            field.widget.choices = field.choices

    def clean_client(self) -> Client:
        """Refuse a disabled client."""
        client: Client = self.cleaned_data["client"]
        if not client.is_active:
            raise ValidationError(_("This client is disabled, so its tokens would be inactive."))
        return client

    def clean_user(self) -> Any:
        """Refuse a disabled user, and a privileged one unless the operator is a superuser."""
        user = self.cleaned_data["user"]
        if user is None:
            return None
        if not is_active_user(user):
            raise ValidationError(_("This user is disabled, so the token would be inactive."))
        privileged = getattr(user, "is_staff", False) or getattr(user, "is_superuser", False)
        if privileged and not getattr(self.operator, "is_superuser", False):
            raise ValidationError(_("Only a superuser can issue tokens for staff and superusers."))
        return user

    def clean_audience(self) -> list[str]:
        """Refuse anything but resource identifiers."""
        audience: list[str] = self.cleaned_data["audience"]
        validate_resources(audience)
        return audience

    def clean(self) -> dict[str, Any]:
        """Limit the token to the scope, audience and lifetime of its client, unless the operator may go beyond."""
        cleaned = super().clean()
        client = cleaned.get("client")
        if self.is_limited and client is not None:
            self._check_limits(client, cleaned)
        return cleaned

    def _check_limits(self, client: Client, cleaned: dict[str, Any]) -> None:
        try:
            require_own_limits(client, cleaned.get("scope", ""), [])
        except InvalidScope:
            text = _("The client may not request this scope: its own is “%(scope)s”.")
            self.add_error("scope", text % {"scope": client.scope})
        try:
            require_own_limits(client, "", cleaned.get("audience", []))
        except InvalidTarget:
            self.add_error("audience", _("The client may not request tokens for these resources."))
        longest = int(access_token_lifetime(client).total_seconds())
        if (cleaned.get("lifetime") or 0) > longest:
            too_long = ngettext(
                "Access tokens of this client live for %(count)d second.",
                "Access tokens of this client live for %(count)d seconds or less.",
                longest,
            )
            self.add_error("lifetime", too_long % {"count": longest})


@own_page("issue_token")
@waits_for_lock
def issue_view(model_admin: ModelAdmin[Token], request: HttpRequest) -> HttpResponse:
    """Ask what to issue, and show the new token in the answer to the form."""
    if request.method != "POST":
        return _form_page(model_admin, request, IssueForm(model_admin, request, initial=_initial(request)))
    if used := _issued_by(request):
        return _already(model_admin, request, used)
    form = IssueForm(model_admin, request, request.POST)
    if not form.is_valid():
        return _form_page(model_admin, request, form)
    try:
        issued = _issue(model_admin, request, form.cleaned_data)
    except ValidationError as problem:
        form.add_error(None, problem)
        return _form_page(model_admin, request, form)
    except IntegrityError:  # sent twice at once, or the client or the user is gone
        if used := _issued_by(request):
            return _already(model_admin, request, used)
        form.add_error(None, _("The client or the user does not exist any more. Nothing was issued."))
        return _form_page(model_admin, request, form)
    context = {"title": _("New token"), "issued": issued, "token": issued.token}
    return page(model_admin, request, "token/issued", context)


def _issue(model_admin: ModelAdmin[Token], request: HttpRequest, chosen: dict[str, Any]) -> IssuedToken:
    token_id: UUID = chosen["form_id"]
    with transaction.atomic(using=router.db_for_write(Token)):
        issued = issue(
            client=chosen["client"],
            user=chosen["user"],
            scope=chosen["scope"],
            audience=chosen["audience"],
            lifetime=timedelta(seconds=chosen["lifetime"]) if chosen["lifetime"] else None,
            token_id=token_id,
        )
        model_admin.log_addition(request, issued.token, ISSUED)
    return issued


def _issued_by(request: HttpRequest) -> Token | None:
    """Return the token that this form has issued, or None."""
    form_id = posted_form_id(request)
    return Token.objects.on_primary().filter(pk=form_id).first() if form_id else None


def _already(model_admin: ModelAdmin[Token], request: HttpRequest, token: Token) -> HttpResponse:
    """Report that the form has issued a token; the value cannot be shown again, since it is not stored."""
    context = {"title": _("Already issued"), "token": token}
    return page(model_admin, request, "token/issued_already", context, status=409)


def _form_page(model_admin: ModelAdmin[Token], request: HttpRequest, form: IssueForm) -> HttpResponse:
    context = {"title": _("Issue token"), "is_limited": form.is_limited}
    return form_page(model_admin, request, "token/issue", form, context)


def _initial(request: HttpRequest) -> dict[str, Any]:
    """Return the client and the user that a link names."""
    users = get_user_model()
    client_id, username = request.GET.get("client_id", ""), request.GET.get("username", "")
    found: dict[str, Any] = {}
    if "\x00" not in client_id + username:
        found["client"] = Client.objects.filter(client_id=client_id).first()
        found["user"] = users._default_manager.filter(**{users.USERNAME_FIELD: username}).first()
    return found
