"""The list of tokens, read by an index and page by page, without counting rows."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from ..models import Client, Token

MAX_PAGES = 100
"""Pages that can be opened: the database reads every row before a page. Filters lead further."""


class TokenChangeList(ChangeList):
    """Read one page and one more row, which shows whether there is another page."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Token]) -> list[Any]:
        """Return the order of the filters. The column that the URL names is ignored: no index sorts by a column."""
        return [*self.model_admin.get_ordering(request), "-pk"]

    def get_results(self, request: HttpRequest) -> None:
        """Read the requested page."""
        if not 1 <= self.page_num <= MAX_PAGES:
            raise IncorrectLookupParameters
        start = (self.page_num - 1) * self.list_per_page
        rows = list(self.queryset[start : start + self.list_per_page + 1])
        if start and not rows:
            raise IncorrectLookupParameters
        self.result_list = rows[: self.list_per_page]
        self.has_next = len(rows) > self.list_per_page
        self.result_count = start + len(self.result_list)
        self.full_result_count = self.result_count  # the search form shows no number if both are equal
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

    @property
    def is_filtered(self) -> bool:
        """Whether the list shows a selection of the tokens."""
        return bool(self.query or self.has_active_filters)

    @property
    def has_no_clients(self) -> bool:
        """Whether no client is registered, so that there can be no tokens."""
        return not Client.objects.exists()
