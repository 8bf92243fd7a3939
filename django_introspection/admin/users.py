"""Users in the admin of tokens: found by name or primary key, and linked from the page of a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from .deleting import DeletesWithTokens
from .history import TranslatedHistory
from .revoking import live_tokens

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class UserTokensMixin(TranslatedHistory, DeletesWithTokens, _ModelAdmin):
    """Show the live tokens of a user on the user's admin page, and revoke them before the user is deleted.

    Put it first among the bases of the admin class of the project's own user model. The page of `auth.User` has its
    link without it.
    """

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Add the tokens below the other fields, for an operator who may view tokens."""
        fieldsets = super().get_fieldsets(request, obj)
        if not _is_shown(request, obj) or "live_tokens" in flatten_fieldsets(fieldsets):
            return fieldsets
        return [*fieldsets, (_("Tokens"), {"fields": ("live_tokens",)})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Add the tokens."""
        return (*super().get_readonly_fields(request, obj), *(("live_tokens",) if _is_shown(request, obj) else ()))

    @admin.display(description=_("live tokens"))
    def live_tokens(self, user: Any) -> str:
        """Return the number of live tokens, as a link to the list of the user's tokens."""
        count = sum(live_tokens(user=user).values())
        text = ngettext("%(count)d token", "%(count)d tokens", count) % {"count": count}
        try:
            url = reverse("admin:introspection_token_changelist", current_app=self.admin_site.name)
        except NoReverseMatch:  # tokens are not registered on any site
            return text
        return format_html('<a href="{}?user={}">{}</a>', url, user.pk, text)


def _is_shown(request: HttpRequest, user: Any) -> bool:
    return user is not None and request.user.has_perm("introspection.view_token")


def users_called(text: str) -> list[Any]:
    """Return the primary keys of the users whose name or primary key is the text; they are rarely more than one."""
    if not text or "\x00" in text:
        return []
    users = get_user_model()
    named = Q(**{users.USERNAME_FIELD: text})
    key = _key(text)
    found = users._default_manager.filter(named if key is None else named | Q(pk=key))
    return list(found.values_list("pk", flat=True))


def find_user(text: str) -> Any:
    """Return the user with a primary key, or None."""
    key = _key(text)
    return None if key is None else get_user_model()._default_manager.filter(pk=key).first()


def _key(text: str) -> Any:
    """Return the primary key that a text stands for, or None if it cannot be one."""
    try:
        return get_user_model()._meta.pk.to_python(text)
    except ValidationError:
        return None
