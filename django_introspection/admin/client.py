"""The admin of clients: the list, the short form for a new client, and the long form for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db import IntegrityError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext_lazy as _

from ..authorization_server.purposes import NAMES, purpose_of
from ..models import Client
from ..models.fields import now
from ..protocol.error_reports import conceal_locals
from .client_filters import PurposeFilter, SecretsFilter
from .client_forms import AddClientForm, ClientForm, client_of_form
from .client_pages import activity_view, revoke_view, set_active_selected
from .deleting import DeletesWithTokens
from .display import identifier, moment_field, short_moment
from .history import TranslatedHistory
from .once import posted_form_id, waits_for_lock
from .pages import may, url_pattern
from .revoking import live_tokens
from .secret_pages import retire_view, secret_view, show_new_secret, was_sent_already
from .secret_states import last_used, states_of, summary, warnings

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = admin.ModelAdmin[Client]
else:
    _ModelAdmin = admin.ModelAdmin


AUTHENTICATION = (
    *("token_endpoint_auth_method", "jwks", "jwks_uri"),
    *("certificate_name_kind", "certificate_name", "certificate_thumbprints"),
)


class ClientAdmin(TranslatedHistory, DeletesWithTokens, _ModelAdmin):
    """Register clients, change them, add and retire their secrets, disable them and revoke their tokens."""

    form = ClientForm
    registration_form = AddClientForm
    change_form_template = "admin/introspection/client/change_form.html"
    change_list_template = "admin/introspection/client/change_list.html"
    list_display = ("client_name", "id_of_client", "purpose", "is_active", "secrets", "created_in_list", "last_used")
    list_filter = (PurposeFilter, SecretsFilter, "introspection_policy", "is_active")
    search_fields = ("client_name", "client_id")
    search_help_text = _("Search by name or client ID.")
    ordering = ("client_name", "pk")
    actions = ("enable_clients", "disable_clients")
    radio_fields = {"introspection_policy": admin.VERTICAL}
    registration_fieldsets = (
        (
            None,
            {
                "fields": ("purpose", "client_name", "form_id"),
                "description": _("The secret is generated when the form is saved, and shown once, on the next page."),
            },
        ),
        (_("Resource server"), {"fields": ("resources", "resource_scopes"), "classes": ("introspection-serves",)}),
        (_("Machine client"), {"fields": ("scope", "allowed_resources"), "classes": ("introspection-asks",)}),
        (
            _("Authentication"),
            {"fields": ("client_id", *AUTHENTICATION), "classes": ("collapse",)},
        ),
    )
    fieldsets = (
        (None, {"fields": ("client_name", "id_of_client", "is_active", "created")}),
        (
            _("Resource server"),
            {"fields": ("resources", "resource_scopes"), "description": _("If the client is an API.")},
        ),
        (
            _("Introspection"),
            {
                "fields": (
                    "introspection_policy",
                    "filter_scope",
                    "visible_members",
                    "introspection_signed_response_alg",
                    "introspection_encrypted_response_alg",
                    "introspection_encrypted_response_enc",
                ),
                "description": _("The tokens that the client may introspect, and the members of the answers."),
            },
        ),
        (
            _("Tokens"),
            {
                "fields": (
                    *("grant_types", "may_impersonate", "scope", "allowed_resources", "authorization_details_types"),
                    "access_token_format",
                    *("dpop_bound_access_tokens", "tls_client_certificate_bound_access_tokens"),
                ),
                "description": _("If the client requests tokens: the limits of its requests."),
            },
        ),
        (
            _("Lifetime of tokens"),
            {"fields": ("access_token_lifetime", "refresh_token_lifetime"), "classes": ("collapse",)},
        ),
        (
            _("Authentication"),
            {"fields": AUTHENTICATION, "classes": ("collapse",)},
        ),
    )

    created = moment_field("created_at", _("created"))
    created_in_list = moment_field("created_at", _("created"), short_moment, ordering="created_at")

    def get_urls(self) -> list[URLPattern]:
        """Add the pages for secrets, activity and revocation."""
        own = (
            ("secret/", "secret", secret_view),
            ("secret/<int:secret_id>/retire/", "retire", retire_view),
            ("activity/", "activity", activity_view),
            ("revoke/", "revoke", revoke_view),
        )
        patterns = [url_pattern(self, f"<path:object_id>/{route}", name, view) for route, name, view in own]
        return [*patterns, *super().get_urls()]

    @admin.display(description=_("client ID"), ordering="client_id")
    def id_of_client(self, client: Client) -> str:
        """Return the client ID."""
        return identifier(client.client_id)

    @admin.display(description=_("purpose"))
    def purpose(self, client: Client) -> Any:
        """Return the short name of the purpose."""
        purpose = purpose_of(client)
        return NAMES[purpose] if purpose else self.get_empty_value_display()

    @admin.display(description=_("secrets"))
    def secrets(self, client: Client) -> Any:
        """Return the state of the secrets."""
        return summary(client, now())

    @admin.display(description=_("last used"))
    def last_used(self, client: Client) -> str:
        """Return when a secret of the client was last used."""
        return short_moment(last_used(client))

    @admin.action(description=_("Enable selected clients"), permissions=["change"])
    def enable_clients(self, request: HttpRequest, queryset: QuerySet[Client]) -> HttpResponse | None:
        """Enable clients, after a confirmation."""
        return set_active_selected(self, request, queryset, wanted=True)

    @admin.action(description=_("Disable selected clients"), permissions=["change"])
    def disable_clients(self, request: HttpRequest, queryset: QuerySet[Client]) -> HttpResponse | None:
        """Disable clients, after a confirmation."""
        return set_active_selected(self, request, queryset, wanted=False)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        """Fetch the secrets of all clients on a page with one statement."""
        return super().get_queryset(request).prefetch_related("secrets")

    def get_form(
        self, request: HttpRequest, obj: Client | None = None, change: bool = False, **options: Any
    ) -> type[forms.ModelForm[Client]]:
        """Use the short form for a new client."""
        return super().get_form(
            request, obj, change, **(options if obj else {"form": self.registration_form, **options})
        )

    def get_fieldsets(self, request: HttpRequest, obj: Client | None = None) -> Any:
        """Group the fields of the form in use; an operator who may only view gets no hidden field."""
        if obj is None:
            return self.registration_fieldsets
        fieldsets = super().get_fieldsets(request, obj)
        return [*fieldsets, (None, {"fields": ("seen",)})] if self.has_change_permission(request, obj) else fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Client | None = None) -> Any:
        """Never change the client ID of a client that exists: the client is configured with it."""
        return (*super().get_readonly_fields(request, obj), *(("id_of_client", "created") if obj else ()))

    @waits_for_lock
    @conceal_locals
    def changeform_view(self, request: HttpRequest, *arguments: Any, **options: Any) -> Any:
        """Register a client once, however often and however fast its form is sent."""
        form_id = posted_form_id(request)
        try:
            if client := client_of_form(form_id):
                return was_sent_already(self, request, client)
            response = super().changeform_view(request, *arguments, **options)
        except IntegrityError:
            if client := client_of_form(form_id):
                return was_sent_already(self, request, client)
            raise
        if _has_errors(response) and (client := client_of_form(form_id)):  # the ID was taken while we looked
            return was_sent_already(self, request, client)
        return response

    def response_add(self, request: HttpRequest, obj: Client, post_url_continue: str | None = None) -> HttpResponse:
        """Show the first secret in the answer to the form; a client with keys has none."""
        if not obj.has_secrets:
            return super().response_add(request, obj, post_url_continue)
        return show_new_secret(self, request, obj, UUID(request.POST["form_id"]))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *arguments: Any, **options: Any
    ) -> HttpResponse:
        """Show the state of a client above its form. The form of a new client leads to the page of its secret."""
        if obj := context.get("original"):
            states = states_of(obj, now())
            context |= {
                "secrets": states,
                "warnings": warnings(obj, states),
                "tokens": live_tokens(client=obj),
                **{name: may(self, request, name) for name in ("view_token", "issue_token", "revoke_token")},
            }
        else:
            context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *arguments, **options)


def _has_errors(response: Any) -> bool:
    """Return whether a response shows a form with errors."""
    return bool((getattr(response, "context_data", None) or {}).get("errors"))
