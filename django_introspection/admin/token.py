"""The admin of tokens: to look at, to issue, to revoke, and to find out why one was refused."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from ..models import Client, Token
from ..models.fields import now
from . import debugger, overview, token_issuing, token_revoking
from .pages import ISSUE, REVOKE, may_view
from .token_list import FILTERS, TokenChangeList, ordering
from .token_state import state_of

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = admin.ModelAdmin[Token]
else:
    _ModelAdmin = admin.ModelAdmin


class TokenAdmin(_ModelAdmin):
    """List tokens with their state, issue and revoke them; their values are nowhere."""

    change_list_template = "admin/introspection/token/change_list.html"
    change_form_template = "admin/introspection/token/change_form.html"
    list_display = ("id", "state", "kind", "client", "user", "scope", "expires_at")
    list_filter = FILTERS
    list_select_related = ("client", "user")
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    search_fields = ("id", "grant_id", "client__client_id")
    search_help_text = _("Search by the ID of a token, a grant or a client.")
    actions = ("revoke_tokens",)
    fields = (
        "id", "state", "revoked", "kind", "client", "user", "scope", "audience", "members",
        "grant_id", "issued_at", "not_before", "expires_at",
        "rotated_at", "predecessor", "grant_expires_at",
    )  # fmt: skip
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        """Add the pages that issue, revoke, debug and count."""
        pages = {
            "issue/": ("issue", token_issuing.issue_view),
            "debugger/": ("debugger", debugger.debugger_view),
            "overview/": ("overview", overview.overview_view),
            "<uuid:pk>/revoke/": ("revoke", token_revoking.revoke_view),
        }
        return [
            *(self._url(route, name, view) for route, (name, view) in pages.items()),
            *super().get_urls(),
        ]

    def _url(self, route: str, name: str, view: Any) -> URLPattern:
        bound = partial(view, self)
        vars(bound).update(vars(view))  # csrf_exempt, where a view protects itself
        return path(route, self.admin_site.admin_view(bound), name=f"introspection_token_{name}")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[TokenChangeList]:
        """List without counting."""
        return TokenChangeList

    def get_ordering(self, request: HttpRequest) -> tuple[str]:
        """Follow the index of the chosen filter."""
        return ordering(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Token]:
        """Fetch client and user with each token, on the page of one as well."""
        return super().get_queryset(request).select_related("client", "user")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Token], search_term: str
    ) -> tuple[QuerySet[Token], bool]:
        """Find whole identifiers by their indexes, where Django would compare the text of each row."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if client := Client.objects.filter(client_id=term).first():  # by its key, an index has its tokens in order
            return queryset.filter(client=client.pk), False
        try:
            identifier = UUID(term)
        except ValueError:
            return queryset.none(), False
        return queryset.filter(Q(pk=identifier) | Q(grant_id=identifier)), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Tell the page which other pages this operator may open."""
        may = {"may_issue": request.user.has_perm(ISSUE), "may_view": may_view(request)}
        return super().changelist_view(request, {**may, **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Tell the page whether this operator may revoke."""
        may = {"may_revoke": self.has_revoke_permission(request)}
        return super().change_view(request, object_id, form_url, {**may, **(extra_context or {})})

    @admin.display(description=_("state"))
    def state(self, token: Token) -> str:
        """Say whether the token is good now, and why not."""
        return str(state_of(token, now()).label)

    @admin.display(description=_("revoked"))
    def revoked(self, token: Token) -> str | None:
        """Say when and by whom it was revoked."""
        return token_revoking.how_revoked(token)

    @admin.action(description=_("Revoke the selected tokens"), permissions=["revoke"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[Token]) -> HttpResponse | None:
        """Say what will happen, then do it."""
        return token_revoking.revoke_selected(self, request, queryset)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to revoke, of somebody who may look."""
        return request.user.has_perm(REVOKE) and may_view(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: a token is issued, not typed."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        """Refuse: a token is revoked, not edited."""
        return False

    def delete_model(self, request: HttpRequest, obj: Token) -> None:
        """Revoke first: caches are told of a token that is revoked, not of one that is gone."""
        token_revoking.revoke_and_say(self, request, [obj])
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        """Revoke first, as for one."""
        token_revoking.revoke_and_say(self, request, list(queryset))
        super().delete_queryset(request, queryset)
