"""The list of tokens: filters that an index answers, and pages that nobody counts."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest
from django.utils import formats
from django.utils.translation import gettext_lazy as _

from ..models import Client, Token, TokenKind
from ..models.fields import now
from .token_state import ORDER, State, in_state

MAX_PAGES = 100
"""Pages that can be turned: a database reads all rows before a page. Filters lead further."""


class TokenChangeList(ChangeList):
    """Read one page and one row more, which tells whether there is another page."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Token]) -> list[Any]:
        """Return the order of the filters, whatever column the query names: no index sorts by a column."""
        return [*self.model_admin.get_ordering(request), "-pk"]

    def get_results(self, request: HttpRequest) -> None:
        """Read the page that is asked for."""
        if not 1 <= self.page_num <= MAX_PAGES:
            raise IncorrectLookupParameters
        start = (self.page_num - 1) * self.list_per_page
        rows = list(self.queryset[start : start + self.list_per_page + 1])
        if start and not rows:
            raise IncorrectLookupParameters
        self.result_list = rows[: self.list_per_page]
        self.has_next = len(rows) > self.list_per_page
        self.result_count = start + len(self.result_list)
        self.full_result_count = self.result_count  # the search form shows no number where both are one
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = False
        self.multi_page = self.has_next or start > 0
        seen = min(start + len(rows), MAX_PAGES * self.list_per_page)
        self.paginator = Paginator(range(seen), self.list_per_page)

    @property
    def previous_query_string(self) -> str | None:
        """The link to the page before."""
        return self.get_query_string({PAGE_VAR: self.page_num - 1}) if self.page_num > 1 else None

    @property
    def next_query_string(self) -> str | None:
        """The link to the page after."""
        return (
            self.get_query_string({PAGE_VAR: self.page_num + 1})
            if self.has_next and self.page_num < MAX_PAGES
            else None
        )


class StateFilter(admin.SimpleListFilter):
    """Choose tokens by their state now."""

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
    """Choose tokens by their kind."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the kinds."""
        return list(TokenKind.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> QuerySet[Token]:
        """Return the tokens of the kind."""
        return queryset.filter(kind=self.value()) if self.value() in TokenKind.values else queryset


class ClientFilter(admin.SimpleListFilter):
    """Choose tokens by the exact ID of their client, which is typed: there may be thousands."""

    title = _("client")
    parameter_name = "client"
    template = "admin/introspection/token/client_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return nothing to choose from."""
        return []

    def has_output(self) -> bool:
        """Be shown although there is nothing to choose from."""
        return True

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Return what the form sends besides the ID, and how to leave the filter."""
        others = {name: values for name, values in changelist.filter_params.items() if name != self.parameter_name}
        yield {
            "value": self.value() or "",
            "others": [(name, value) for name, values in others.items() for value in values if name != "p"],
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "is_known": self._is_known,
        }

    _is_known = True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> QuerySet[Token]:
        """Return the tokens of the client: its key is looked up first, so that an index has the list in order."""
        client_id = (self.value() or "").strip()
        if not client_id:
            return queryset
        found = None if "\x00" in client_id else Client.objects.filter(client_id=client_id).first()
        self._is_known = found is not None
        return queryset.none() if found is None else queryset.filter(client=found.pk)


class MomentFilter(admin.SimpleListFilter):
    """Go down from years to months to days; `date_hierarchy` asks columns of dates, and ours hold seconds.

    The value is the beginning of a date in UTC: 2026, 2026-11 or 2026-11-25.
    """

    parameter_name: str
    field: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the next smaller periods of the one that is chosen."""
        parts = self._parts()
        if not parts:
            years = Token.objects.aggregate(first=Min(self.field), last=Max(self.field))
            if years["first"] is None:
                return []
            return [(str(year), str(year)) for year in range(years["last"].year, years["first"].year - 1, -1)]
        if len(parts) == 1:
            return [_choice(parts[0], month) for month in range(1, 13)]
        days = monthrange(parts[0], parts[1])[1]
        return [_choice(parts[0], parts[1], day) for day in range(1, days + 1)]

    def has_output(self) -> bool:
        """Be shown where something can be chosen or left."""
        return bool(self.lookup_choices) or self.value() is not None

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Return the periods above and the ones within."""
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
        """Return the tokens of the period, one index range."""
        parts = self._parts()
        if not parts:
            return queryset
        first, end = _period(*parts)
        return queryset.filter(**{f"{self.field}__gte": first, f"{self.field}__lt": end})

    def _parts(self) -> tuple[int, ...]:
        """Return year, month and day as far as they are given; nothing for what is no date."""
        try:
            parts = tuple(map(int, (self.value() or "").split("-")))
            _period(*parts)
        except (TypeError, ValueError, OverflowError):
            return ()
        return parts


class IssuedFilter(MomentFilter):
    """Choose tokens by when they were issued."""

    title = _("date of issue (UTC)")
    parameter_name = "issued"
    field = "issued_at"


class ExpiresFilter(MomentFilter):
    """Choose tokens by when they expire."""

    title = _("date of expiry (UTC)")
    parameter_name = "expires"
    field = "expires_at"


FILTERS = (StateFilter, KindFilter, ClientFilter, IssuedFilter, ExpiresFilter)


def ordering(request: HttpRequest) -> tuple[str]:
    """Return the order of the list: that of the index which the narrowest filter reads."""
    for each in (IssuedFilter, ExpiresFilter):
        if request.GET.get(each.parameter_name):
            return (f"-{each.field}",)
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
