"""The personal tokens of each user in the admin, with the time of last use. A token is revoked on its own page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from ..admin.display import identifiers, moment, short_identifier, short_moment
from ..admin.token_state import state_of
from ..admin.users import users_called
from ..models.fields import now
from .models import PersonalToken

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = admin.ModelAdmin[PersonalToken]
else:
    _ModelAdmin = admin.ModelAdmin


EPOCH = datetime.fromtimestamp(0, UTC)
"""Before the expiry of every token: a condition that a row without its token does not meet."""


class PersonalTokenAdmin(_ModelAdmin):
    """Show personal tokens by user. Nothing is changed here: the page of the token has the ways to revoke it."""

    list_display = ("name", "user", "state", "networks_in_list", "used_in_list", "expires_in_list", "token_page")
    list_select_related = ("user", "token", "token__client", "token__user")
    list_max_show_all = 0
    show_full_result_count = False
    ordering = ("-token",)
    search_fields = ("name",)
    search_help_text = _("Search by the name or the ID of a user.")
    fields = ("name", "description", "user", "state", "networks_shown", "used", "expires", "rotated", "token_page")
    readonly_fields = fields

    class Media:
        css = {"all": ["introspection/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[PersonalToken]:
        """Return the rows whose token is still stored."""
        return super().get_queryset(request).filter(token__expires_at__gt=EPOCH)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PersonalToken], search_term: str
    ) -> tuple[QuerySet[PersonalToken], bool]:
        """Return the tokens of the users whose name or primary key is the text."""
        term = search_term.strip()
        return (queryset.filter(user__in=users_called(term)) if term else queryset), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: people make their own tokens."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False on the pages of this model: the token would live on. With a user, its tokens are deleted."""
        match = request.resolver_match
        own = match is not None and (match.url_name or "").startswith("introspection_personal_tokens_")
        return not own and super().has_delete_permission(request, obj)

    @admin.display(description=_("state"))
    def state(self, row: PersonalToken) -> str:
        """Return whether the token is active now, or why it is not."""
        return str(state_of(row.token, now()).label)

    @admin.display(description=_("networks"))
    def networks_in_list(self, row: PersonalToken) -> str:
        """Return the networks."""
        return ", ".join(row.networks) or "-"

    @admin.display(description=_("networks"))
    def networks_shown(self, row: PersonalToken) -> str:
        """Return the networks, one in each line."""
        return identifiers(row.networks)

    @admin.display(description=_("last used"), ordering="last_used_at")
    def used_in_list(self, row: PersonalToken) -> str:
        """Return the last use."""
        return short_moment(row.last_used_at)

    @admin.display(description=_("last used"))
    def used(self, row: PersonalToken) -> str:
        """Return the last use."""
        return moment(row.last_used_at)

    @admin.display(description=_("expires"), ordering="expires_at")
    def expires_in_list(self, row: PersonalToken) -> str:
        """Return the expiry of the token."""
        return short_moment(row.token.expires_at)

    @admin.display(description=_("expires"))
    def expires(self, row: PersonalToken) -> str:
        """Return the expiry of the token."""
        return moment(row.token.expires_at)

    @admin.display(description=_("rotated"))
    def rotated(self, row: PersonalToken) -> str:
        """Return when another token took its place."""
        return moment(row.rotated_at)

    @admin.display(description=_("token"))
    def token_page(self, row: PersonalToken) -> str:
        """Return a link to the page of the token."""
        try:
            url = reverse("admin:introspection_token_change", args=[row.pk], current_app=self.admin_site.name)
        except NoReverseMatch:  # tokens are not registered on this site
            return short_identifier(row.pk)
        return format_html('<a href="{}">{}</a>', url, short_identifier(row.pk))


admin.site.register(PersonalToken, PersonalTokenAdmin)
