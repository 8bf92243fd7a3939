"""Filters of the list of clients."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from ..authorization_server.purposes import NAMES, Purpose, with_purpose
from ..models import Client, ClientSecret
from ..models.fields import now

SOON = timedelta(days=30)
"""How long before its expiry a secret is marked."""

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = admin.ModelAdmin[Client]
else:
    _ModelAdmin = admin.ModelAdmin


class PurposeFilter(admin.SimpleListFilter):
    """Filter clients by purpose."""

    title = _("purpose")
    parameter_name = "purpose"

    def lookups(self, request: Any, model_admin: _ModelAdmin) -> Iterable[tuple[str, Any]]:
        """Return the purposes, and the lack of one."""
        return [*((purpose.value, name) for purpose, name in NAMES.items()), ("none", _("none"))]

    def queryset(self, request: Any, queryset: QuerySet[Client]) -> QuerySet[Client]:
        """Return the clients with the chosen purpose."""
        chosen = self.value()
        if chosen == "none":
            return queryset.filter(with_purpose(None))
        return queryset.filter(with_purpose(Purpose(chosen))) if chosen in Purpose.values else queryset


class SecretsFilter(admin.SimpleListFilter):
    """Filter clients by the state of a secret."""

    title = _("secrets")
    parameter_name = "secrets"

    def lookups(self, request: Any, model_admin: _ModelAdmin) -> Iterable[tuple[str, Any]]:
        """Return the states that need attention."""
        return [
            ("soon", _("one expires within 30 days")),
            ("expired", _("one has expired")),
            ("unused", _("one was never used")),
        ]

    def queryset(self, request: Any, queryset: QuerySet[Client]) -> QuerySet[Client]:
        """Return the clients that have such a secret."""
        at = now()
        live = Q(expires_at=None) | Q(expires_at__gt=at)
        conditions = {
            "soon": Q(expires_at__gt=at, expires_at__lte=at + SOON),
            "expired": Q(expires_at__lte=at),
            "unused": live & Q(last_used_at=None),
        }
        condition = conditions.get(self.value() or "")
        if condition is None:
            return queryset
        return queryset.filter(Exists(ClientSecret.objects.filter(condition, client=OuterRef("pk"))))
