"""The admin of tokens: list, issue, revoke and debug them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from ..authorization_server.ending import write_tombstones
from ..authorization_server.revoking import ended_with, revoke_tokens
from ..models import Token
from ..models.fields import now
from . import debugger, overview, token_issuing, token_revoking
from .deleting import DeletesWithTokens
from .display import identifier, identifiers, moment_field, short_identifier, short_moment
from .history import TranslatedHistory
from .pages import may, url_pattern
from .revoking import how_revoked, operator_name
from .token_filters import FILTERS, UserFilter, clients_called, ordering
from .token_list import TokenChangeList
from .token_state import state_of
from .users import users_called

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = admin.ModelAdmin[Token]
else:
    _ModelAdmin = admin.ModelAdmin


class TokenAdmin(TranslatedHistory, DeletesWithTokens, _ModelAdmin):
    """List tokens with their state, issue and revoke them. Their values are not stored, and never shown here."""

    change_list_template = "admin/introspection/token/change_list.html"
    change_form_template = "admin/introspection/token/change_form.html"
    list_display = ("short_id", "state", "kind", "client", "user", "issued_in_list", "expires_in_list", "scope_tokens")
    list_filter = FILTERS
    list_select_related = ("client", "user")
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    search_fields = ("id", "grant_id", "client__client_id")
    search_help_text = _("Search by the ID of a token, grant, client or user, or by user name.")
    actions = ("revoke_tokens",)
    fields = (
        "whole_id", "state", "revoked", "kind", "client", "user", "scope_tokens", "resources", "further_members",
        "grant", "issued", "valid_from", "expires",
        "used", "predecessor", "grant_expires",
    )  # fmt: skip
    readonly_fields = fields

    issued = moment_field("issued_at", _("issued"))
    issued_in_list = moment_field("issued_at", _("issued"), short_moment)
    expires = moment_field("expires_at", _("expires"))
    expires_in_list = moment_field("expires_at", _("expires"), short_moment)
    valid_from = moment_field("not_before", _("not before"))
    used = moment_field("rotated_at", _("used"))
    grant_expires = moment_field("grant_expires_at", _("grant expires"))

    def get_urls(self) -> list[URLPattern]:
        """Add the pages that issue, revoke, debug and count."""
        own: tuple[tuple[str, str, Callable[..., HttpResponse]], ...] = (
            ("issue/", "issue", token_issuing.issue_view),
            ("debugger/", "debugger", debugger.debugger_view),
            ("overview/", "overview", overview.overview_view),
            ("user/<path:user_id>/revoke/", "revoke_user", token_revoking.revoke_user_view),
            ("<uuid:object_id>/revoke/", "revoke", token_revoking.revoke_view),
        )
        return [*(url_pattern(self, route, name, view) for route, name, view in own), *super().get_urls()]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[TokenChangeList]:
        """List without counting."""
        return TokenChangeList

    def get_ordering(self, request: HttpRequest) -> tuple[str]:
        """Follow the index of the chosen filter."""
        return ordering(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Token]:
        """Fetch client and user with each token, also for the page of a token."""
        return super().get_queryset(request).select_related("client", "user")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Token], search_term: str
    ) -> tuple[QuerySet[Token], bool]:
        """Find whole identifiers by their indexes; Django would compare the text of each row."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if clients := clients_called(term):
            return queryset.filter(client__in=clients), False
        if users := users_called(term):
            return queryset.filter(user__in=users), False
        try:
            wanted = UUID(term)
        except ValueError:
            return queryset.none(), False
        return queryset.filter(Q(pk=wanted) | Q(grant_id=wanted)), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Add what the links to the own pages need."""
        users = users_called(request.GET.get(UserFilter.parameter_name, ""))
        context = {**self._permissions(request), "user_of_list": users[0] if len(users) == 1 else None}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add the permissions that the links to the own pages need."""
        return super().change_view(
            request, object_id, form_url, {**self._permissions(request), **(extra_context or {})}
        )

    def _permissions(self, request: HttpRequest) -> dict[str, bool]:
        return {name: may(self, request, name) for name in ("view_token", "issue_token", "revoke_token")}

    @admin.display(description=_("ID"))
    def short_id(self, token: Token) -> str:
        """Return the end of the ID, the whole of which would fill four lines of the list."""
        return short_identifier(token.pk)

    @admin.display(description=_("ID"))
    def whole_id(self, token: Token) -> str:
        """Return the ID, which is also the jti of a JWT."""
        return identifier(token.pk)

    @admin.display(description=_("grant"))
    def grant(self, token: Token) -> str:
        """Return the ID of the grant."""
        return identifier(token.grant_id)

    @admin.display(description=_("scope"))
    def scope_tokens(self, token: Token) -> str:
        """Return the scope, written from left to right in every language."""
        return format_html('<span dir="ltr">{}</span>', token.scope) if token.scope else self.get_empty_value_display()

    @admin.display(description=_("audience"))
    def resources(self, token: Token) -> str:
        """Return the audience as a list."""
        return identifiers(token.audience)

    @admin.display(description=_("further members"))
    def further_members(self, token: Token) -> str:
        """Return the further members as JSON."""
        if not token.members:
            return self.get_empty_value_display()
        return format_html('<pre dir="ltr">{}</pre>', json.dumps(token.members, indent=2, ensure_ascii=False))

    @admin.display(description=_("state"))
    def state(self, token: Token) -> str:
        """Return whether the token is active now, or why it is not."""
        return str(state_of(token, now()).label)

    @admin.display(description=_("revoked"))
    def revoked(self, token: Token) -> str:
        """Return when and by whom the token was revoked."""
        return how_revoked(token) or self.get_empty_value_display()

    @admin.action(description=_("Revoke selected tokens"), permissions=["revoke"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[Token]) -> HttpResponse | None:
        """Revoke tokens, after a confirmation."""
        return token_revoking.revoke_selected(self, request, queryset)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to revoke, of an operator who may view tokens."""
        return may(self, request, "revoke_token") and self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: a token is issued, not typed."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        """Return False: a token is revoked, not edited."""
        return False

    def before_deletion(self, request: HttpRequest, objects: list[Token]) -> None:
        """Revoke the tokens, a refresh token with its grant; raises IntrospectionUnavailable, and changes nothing."""
        write_tombstones(ended_with(objects))  # first, because the signal of a revocation cannot be taken back
        revoke_tokens(objects, by=None, who=operator_name(request))
