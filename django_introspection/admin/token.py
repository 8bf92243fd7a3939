"""The admin of tokens: to look at and to revoke. Their values are nowhere."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..authorization_server.revoking import revoke_token
from ..models import Token
from ..models.fields import now
from ..protocol.errors import IntrospectionUnavailable

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = admin.ModelAdmin[Token]
else:
    _ModelAdmin = admin.ModelAdmin


class TokenAdmin(_ModelAdmin):
    """List tokens with their state, and revoke them."""

    list_display = ("id", "state", "kind", "client", "user", "scope", "expires_at")
    list_filter = ("kind", "client")
    list_select_related = ("client", "user")
    search_fields = ("id", "grant_id", "client__client_id")
    search_help_text = _("Search by the ID of a token, a grant or a client.")
    ordering = ("-id",)
    show_full_result_count = False
    actions = ("revoke_tokens",)
    fields = (
        "id", "state", "kind", "client", "user", "scope", "audience", "members",
        "grant_id", "issued_at", "not_before", "expires_at", "revoked_at",
        "rotated_at", "predecessor", "grant_expires_at",
    )  # fmt: skip
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Token], search_term: str
    ) -> tuple[QuerySet[Token], bool]:
        """Find whole identifiers by their indexes, where Django would compare the text of each row."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(client__client_id=term)
        with suppress(ValueError):
            wanted |= Q(pk=UUID(term)) | Q(grant_id=UUID(term))
        return queryset.filter(wanted), False

    @admin.display(description=_("state"))
    def state(self, token: Token) -> str:
        """Say whether the token is good now, and why not."""
        return str(token.inactive_reason(now()) or _("active"))

    @admin.action(description=_("Revoke the selected tokens"), permissions=["revoke"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        """Revoke tokens; a refresh token takes its whole grant with it."""
        tokens = list(queryset)
        live = [token for token in tokens if token.revoked_at is None]
        all_told = True
        for token in tokens:  # the revoked ones as well: their tombstones may be missing
            try:
                revoke_token(token, by=None)
            except IntrospectionUnavailable:
                all_told = False
        for token in live:
            self.log_change(request, token, "Revoked.")
        text = ngettext("%(count)d token was revoked.", "%(count)d tokens were revoked.", len(live))
        self.message_user(request, text % {"count": len(live)}, messages.SUCCESS)
        if not all_told:
            problem = _("The cache of revocations does not answer: answers that others keep live on. Try again.")
            self.message_user(request, problem, messages.ERROR)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to change tokens."""
        return request.user.has_perm("introspection.change_token")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: a token is issued, not typed."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        """Refuse: a token is revoked, not edited."""
        return False
