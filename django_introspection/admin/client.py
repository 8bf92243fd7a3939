"""The admin of clients: the list, the short form for a new one, the long form for the rest."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import IntegrityError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from ..authorization_server.purposes import NAMES, purpose_of
from ..models import Client
from ..models.fields import now
from .client_filters import PurposeFilter, SecretsFilter
from .client_forms import AddClientForm, ClientForm, FormIdField
from .client_pages import ClientPages, client_of_form, live_tokens
from .client_secrets import states_of, summary, warnings


class ClientAdmin(ClientPages):
    """Register clients, change them, add and retire their secrets."""

    form = ClientForm
    registration_form = AddClientForm
    change_form_template = "admin/introspection/client/change_form.html"
    list_display = ("client_name", "client_id", "purpose", "is_active", "introspection_policy", "secrets")
    list_filter = (PurposeFilter, SecretsFilter, "introspection_policy", "is_active")
    search_fields = ("client_name", "client_id")
    search_help_text = _("Search by name or client ID.")
    ordering = ("client_name", "pk")
    radio_fields = {"introspection_policy": admin.VERTICAL}
    registration_fieldsets = (
        (
            None,
            {
                "fields": ("form_id", "purpose", "client_name"),
                "description": _("Its secret is made when the form is saved, and shown once: on the next page."),
            },
        ),
        (_("The API that it is"), {"fields": ("resources", "resource_scopes"), "classes": ("introspection-serves",)}),
        (_("The APIs that it calls"), {"fields": ("scope", "allowed_resources"), "classes": ("introspection-asks",)}),
        (
            _("How it authenticates"),
            {"fields": ("client_id", "token_endpoint_auth_method", "jwks", "jwks_uri"), "classes": ("collapse",)},
        ),
    )
    fieldsets = (
        (None, {"fields": ("client_name", "client_id", "is_active")}),
        (
            _("What it serves"),
            {
                "fields": ("resources", "resource_scopes"),
                "description": _("For a resource server: the API that it is."),
            },
        ),
        (
            _("What it is told"),
            {
                "fields": ("introspection_policy", "filter_scope", "visible_members"),
                "description": _("The tokens that it may introspect, and what it learns of them."),
            },
        ),
        (
            _("What it may ask for"),
            {
                "fields": ("grant_types", "scope", "allowed_resources", "access_token_format"),
                "description": _("For a machine client: the tokens that it gets."),
            },
        ),
        (
            _("How long its tokens live"),
            {"fields": ("access_token_lifetime", "refresh_token_lifetime"), "classes": ("collapse",)},
        ),
        (
            _("How it authenticates"),
            {"fields": ("token_endpoint_auth_method", "jwks", "jwks_uri"), "classes": ("collapse",)},
        ),
    )

    @admin.display(description=_("purpose"))
    def purpose(self, client: Client) -> Any:
        """Say what it is for."""
        purpose = purpose_of(client)
        return NAMES[purpose] if purpose else _("none yet")

    @admin.display(description=_("secrets"))
    def secrets(self, client: Client) -> Any:
        """Say how its secrets stand."""
        return summary(client, now())

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        """Fetch the secrets of the whole list at once."""
        return super().get_queryset(request).prefetch_related("secrets")

    def get_form(
        self, request: HttpRequest, obj: Client | None = None, change: bool = False, **options: Any
    ) -> type[forms.ModelForm[Client]]:
        """Use the short form for a new client."""
        return super().get_form(
            request, obj, change, **(options if obj else {"form": self.registration_form, **options})
        )

    def get_fieldsets(self, request: HttpRequest, obj: Client | None = None) -> Any:
        """Group the fields of the form in use; who may only look sends nothing back."""
        if obj is None:
            return self.registration_fieldsets
        fieldsets = super().get_fieldsets(request, obj)
        return [*fieldsets, (None, {"fields": ("seen",)})] if self.has_change_permission(request, obj) else fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Client | None = None) -> Any:
        """Keep the client ID of a client that exists: it is what the client is configured with."""
        return (*super().get_readonly_fields(request, obj), *(("client_id",) if obj else ()))

    def changeform_view(self, request: HttpRequest, *arguments: Any, **options: Any) -> Any:
        """Register a client once, however often and however fast its form is sent."""
        form_id = FormIdField().clean(request.POST.get("form_id"))
        try:
            if client := client_of_form(form_id):
                return self.was_sent_already(request, client)
            return super().changeform_view(request, *arguments, **options)
        except IntegrityError:
            if client := client_of_form(form_id):
                return self.was_sent_already(request, client)
            raise

    def response_add(self, request: HttpRequest, obj: Client, post_url_continue: str | None = None) -> HttpResponse:
        """Show the first secret, in the answer to the form and nowhere else; a client with keys has none."""
        if not obj.has_secrets:
            return super().response_add(request, obj, post_url_continue)
        return self.show_new_secret(request, obj, FormIdField().clean(request.POST["form_id"]))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *arguments: Any, **options: Any
    ) -> HttpResponse:
        """Show how a client stands above its form; a new one leads to the page of its secret and nowhere else."""
        if obj := context.get("original"):
            at = now()
            states = states_of(obj, at)
            context |= {
                "secrets": states,
                "warnings": warnings(obj, states),
                "tokens": live_tokens(obj),
                "may_revoke": self.has_revoke_permission(request, obj),
            }
        else:
            context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *arguments, **options)
