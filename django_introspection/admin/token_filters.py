"""The filters of the list of tokens; each is answered by an index."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest
from django.utils import formats
from django.utils.translation import gettext_lazy as _

from ..models import Client, Token, TokenKind
from ..models.fields import now
from .token_state import ORDER, State, in_state
from .users import users_called


class StateFilter(admin.SimpleListFilter):
    """Filter tokens by their present state."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the states."""
        return list(State.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> QuerySet[Token]:
        """Return the tokens in the state."""
        state = self.value()
        return in_state(queryset, state, now()) if state in State.values else queryset


class KindFilter(admin.SimpleListFilter):
    """Filter tokens by kind."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the kinds."""
        return list(TokenKind.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> QuerySet[Token]:
        """Return the tokens of the kind."""
        return queryset.filter(kind=self.value()) if self.value() in TokenKind.values else queryset


class TypedFilter(admin.SimpleListFilter):
    """A filter whose exact value is typed, because there may be thousands of values."""

    template = "admin/introspection/token/typed_filter.html"
    label: Any
    unknown: Any
    """The message if nothing has the typed name."""
    is_known = True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return no choices."""
        return []

    def has_output(self) -> bool:
        """Return True: the filter is shown although it has no choices."""
        return True

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Return the rest of the query for the form, and the link that clears the filter."""
        others = {name: values for name, values in changelist.filter_params.items() if name != self.parameter_name}
        name = self.parameter_name or ""
        yield {
            "name": name,
            "value": self.value() or "",
            "label": self.label,
            "others": [(name, value) for name, values in others.items() for value in values if name != "p"],
            "query_string": changelist.get_query_string(remove=[name]),
            "unknown": "" if self.is_known else self.unknown,
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> QuerySet[Token]:
        """Return the tokens of the typed client or user."""
        text = (self.value() or "").strip()
        if not text:
            return queryset
        found = self.find(text)
        self.is_known = bool(found)
        return queryset.filter(**{f"{self.parameter_name}__in": found}) if found else queryset.none()

    def find(self, text: str) -> list[Any]:
        """Return the primary keys for a typed name: with them, an index has the tokens in order."""
        raise NotImplementedError


class ClientFilter(TypedFilter):
    """Filter tokens by the exact ID of their client."""

    title = _("client")
    parameter_name = "client"
    label = _("Client ID")
    unknown = _("There is no client with this ID.")

    def find(self, text: str) -> list[Any]:
        """Return the primary key of the client."""
        return clients_called(text)


class UserFilter(TypedFilter):
    """Filter tokens by the exact name or primary key of their user."""

    title = _("user")
    parameter_name = "user"
    label = _("User name or ID")
    unknown = _("There is no user with this name or ID.")

    def find(self, text: str) -> list[Any]:
        """Return the primary keys of the users."""
        return users_called(text)


def clients_called(client_id: str) -> list[Any]:
    """Return the primary key of the client with an ID, in a list."""
    return [] if "\x00" in client_id else list(Client.objects.filter(client_id=client_id).values_list("pk", flat=True))


class MomentFilter(admin.SimpleListFilter):
    """Go down from years to months to days; `date_hierarchy` needs columns of dates, and ours hold seconds.

    The value is the beginning of a date in UTC: 2026, 2026-11 or 2026-11-25.
    """

    parameter_name: str
    column: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the next smaller periods within the chosen one."""
        parts = self._parts()
        if not parts:
            years = Token.objects.aggregate(first=Min(self.column), last=Max(self.column))
            if years["first"] is None:
                return []
            return [(str(year), str(year)) for year in range(years["last"].year, years["first"].year - 1, -1)]
        if len(parts) == 1:
            return [_choice(parts[0], month) for month in range(1, 13)]
        days = monthrange(parts[0], parts[1])[1]
        return [_choice(parts[0], parts[1], day) for day in range(1, days + 1)]

    def has_output(self) -> bool:
        """Return whether there is a period to choose or to leave."""
        return bool(self.lookup_choices) or self.value() is not None

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Return the periods around the chosen one and those within it."""
        yield {
            "selected": self.value() is None,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": _("Any date"),
        }
        parts = self._parts()
        for length in range(1, len(parts)):
            text, display = _choice(*parts[:length])
            yield self._choice(changelist, text, display)
        if parts and len(parts) < 3:
            yield self._choice(changelist, *_choice(*parts))
        for inner, name in self.lookup_choices:
            yield self._choice(changelist, str(inner), name)

    def _choice(self, changelist: ChangeList, text: str, display: Any) -> dict[str, Any]:
        return {
            "selected": self.value() == text,
            "query_string": changelist.get_query_string({self.parameter_name: text}),
            "display": display,
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> QuerySet[Token]:
        """Return the tokens of the period: one range of an index."""
        parts = self._parts()
        if not parts:
            return queryset
        first, end = _period(*parts)
        return queryset.filter(**{f"{self.column}__gte": first, f"{self.column}__lt": end})

    def _parts(self) -> tuple[int, ...]:
        """Return year, month and day as far as they are given, and nothing for anything else."""
        try:
            parts = tuple(map(int, (self.value() or "").split("-")))
            _period(*parts)
        except (TypeError, ValueError, OverflowError):
            return ()
        return parts


class IssuedFilter(MomentFilter):
    """Filter tokens by date of issue."""

    title = _("date of issue (UTC)")
    parameter_name = "issued"
    column = "issued_at"


class ExpiresFilter(MomentFilter):
    """Filter tokens by date of expiry."""

    title = _("date of expiry (UTC)")
    parameter_name = "expires"
    column = "expires_at"


FILTERS = (StateFilter, KindFilter, ClientFilter, UserFilter, IssuedFilter, ExpiresFilter)


def ordering(request: HttpRequest) -> tuple[str]:
    """Return the order of the list: that of the index that the narrowest filter reads."""
    for each in (IssuedFilter, ExpiresFilter):
        if request.GET.get(each.parameter_name):
            return (f"-{each.column}",)
    return (ORDER.get(request.GET.get(StateFilter.parameter_name, ""), "-id"),)


def _choice(*parts: int) -> tuple[str, str]:
    """Return a period as a value and in words."""
    words = {1: "Y", 2: "YEAR_MONTH_FORMAT", 3: "MONTH_DAY_FORMAT"}[len(parts)]
    text = "-".join(f"{part:02}" for part in parts)
    return text, formats.date_format(_period(*parts)[0], words)


def _period(year: int, month: int | None = None, day: int | None = None) -> tuple[datetime, datetime]:
    """Return the first moment of a period and the first one after it."""
    first = datetime(year, 1 if month is None else month, 1 if day is None else day, tzinfo=UTC)
    if day is not None:
        return first, first + timedelta(days=1)
    if month is not None:
        return first, (first + timedelta(days=31)).replace(day=1)
    return first, first.replace(year=year + 1)
