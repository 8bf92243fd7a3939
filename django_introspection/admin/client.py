"""The admin of clients and their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ..authorization_server.issuing import add_secret
from ..models import Client, ClientSecret, GrantType

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelForm = forms.ModelForm[Client]
    _Inline = admin.TabularInline[ClientSecret, Client]
    _ModelAdmin = admin.ModelAdmin[Client]
else:
    _ModelForm, _Inline, _ModelAdmin = forms.ModelForm, admin.TabularInline, admin.ModelAdmin


class LinesField(forms.CharField):
    """A list of strings, one on each line."""

    widget = forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"})

    def prepare_value(self, value: Any) -> Any:
        """Show a list as lines."""
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Return the lines that are not empty, each once."""
        lines = (line.strip() for line in super().clean(value).splitlines())
        return list(dict.fromkeys(line for line in lines if line))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare lists, so that the history names the field only where it was changed."""
        return bool((initial or []) != self.clean(data))


class ClientForm(_ModelForm):
    """The metadata of a client, lists entered as lines and ticks."""

    grant_types = forms.MultipleChoiceField(
        label=_("Grant types"),
        choices=GrantType.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None: it gets no tokens of its own, as a plain resource server."),
    )
    allowed_resources = LinesField(
        label=_("Allowed resources"),
        required=False,
        help_text=_("Resources that it may ask tokens for: absolute URIs, one on each line."),
    )
    resources = LinesField(
        label=_("Resources served"),
        required=False,
        help_text=_("Resources that it serves, as they stand in the audience of a token: one on each line."),
    )
    visible_members = LinesField(
        label=_("Visible members"),
        required=False,
        help_text=_(
            "Members that it is told of tokens of others, one on each line; empty: all. It always gets active. "
            "A resource server usually needs token_type, scope, aud, iss, sub, client_id, exp and cnf."
        ),
    )

    class Meta:
        model = Client
        fields = (
            "client_name",
            "client_id",
            "is_active",
            "token_endpoint_auth_method",
            "jwks",
            "jwks_uri",
            "grant_types",
            "scope",
            "allowed_resources",
            "access_token_lifetime",
            "refresh_token_lifetime",
            "resources",
            "resource_scopes",
            "introspection_policy",
            "filter_scope",
            "visible_members",
            "access_token_format",
        )
        widgets = {
            "jwks_uri": forms.TextInput(attrs={"class": "vTextField"}),
            "scope": forms.TextInput(attrs={"class": "vTextField"}),
            "resource_scopes": forms.TextInput(attrs={"class": "vTextField"}),
        }

    def clean_jwks(self) -> Any:
        """Return no keys for an empty text."""
        return self.cleaned_data["jwks"] or {}


class ClientSecretInline(_Inline):
    """The secrets of a client: never their values. Deleting one retires it."""

    model = ClientSecret
    extra = 0
    fields = readonly_fields = ("hint", "created_at", "expires_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        """Refuse: a secret is made by its own button, not typed."""
        return False


class ClientAdmin(_ModelAdmin):
    """Register clients, change them, add and retire secrets."""

    form = ClientForm
    inlines = (ClientSecretInline,)
    change_form_template = "admin/introspection/client/change_form.html"
    list_display = ("client_name", "client_id", "is_active", "introspection_policy")
    list_filter = ("is_active", "introspection_policy")
    search_fields = ("client_name", "client_id")
    fieldsets = (
        (None, {"fields": ("client_name", "client_id", "is_active", "token_endpoint_auth_method")}),
        (_("Its keys"), {"fields": ("jwks", "jwks_uri")}),
        (_("What it may ask for"), {"fields": ("grant_types", "scope", "allowed_resources", "access_token_format")}),
        (_("How long its tokens live"), {"fields": ("access_token_lifetime", "refresh_token_lifetime")}),
        (_("What it serves"), {"fields": ("resources", "resource_scopes")}),
        (_("What it is told"), {"fields": ("introspection_policy", "filter_scope", "visible_members")}),
    )

    def get_inlines(self, request: HttpRequest, obj: Client | None) -> Any:
        """Show secrets of a client that exists and may have some."""
        return self.inlines if obj and (obj.has_secrets or obj.secrets.exists()) else ()

    def get_readonly_fields(self, request: HttpRequest, obj: Client | None = None) -> Any:
        """Keep the client ID of a client that exists: it is what the client is configured with."""
        return ("client_id",) if obj else ()

    def get_urls(self) -> list[URLPattern]:
        """Add the page that makes a further secret."""
        add = self.admin_site.admin_view(self.add_secret_view)
        return [
            path("<path:object_id>/secret/", add, name="introspection_client_secret"),
            *super().get_urls(),
        ]

    def response_add(self, request: HttpRequest, obj: Client, post_url_continue: str | None = None) -> HttpResponse:
        """Show the first secret, in the answer to the form and nowhere else; a client with keys has none."""
        if not obj.has_secrets:
            return super().response_add(request, obj, post_url_continue)
        return self._show_new_secret(request, obj)

    def add_secret_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make a further secret and show it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        client = self.get_object(request, unquote(object_id))
        if client is None:
            raise Http404
        if not self.has_change_permission(request, client):
            raise PermissionDenied
        if not client.has_secrets:
            raise Http404
        with transaction.atomic(using=router.db_for_write(Client)):
            self.log_change(request, client, "Added a secret.")
            return self._show_new_secret(request, client)

    @sensitive_variables("secret")
    def _show_new_secret(self, request: HttpRequest, client: Client) -> HttpResponse:
        secret = add_secret(client)
        context = {
            **self.admin_site.each_context(request),
            "title": _("New secret of %(client)s") % {"client": client},
            "opts": self.opts,
            "client": client,
            "secret": secret,
        }
        return TemplateResponse(request, "admin/introspection/client/secret.html", context)
