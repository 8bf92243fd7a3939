"""The overview: numbers of issued, ending and refused tokens, by day and by client.

Every number comes from a window of days that an index holds, or from the cache of COUNTERS.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import BigIntegerField, Count, ExpressionWrapper, F, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from .. import counters
from ..conf import DAY
from ..models import Client, Token
from ..protocol.errors import IntrospectionUnavailable
from .overview_charts import Chart, client_chart, day_chart
from .pages import own_page, page

DAYS = 14
TOP = 10
"""Clients that are shown, those with most tokens first."""


@own_page("view_token")
def overview_view(model_admin: ModelAdmin[Token], request: HttpRequest) -> HttpResponse:
    """Show the counts of the days around today."""
    today = datetime.now(UTC).date()
    past = [today - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)]
    ahead = [today + timedelta(days=days) for days in range(DAYS)]
    context = {
        "title": _("Token overview"),
        "days": DAYS,
        "charts": _token_charts(past, ahead),
        **_counted(past),
    }
    return page(model_admin, request, "token/overview", context)


def _token_charts(past: list[date], ahead: list[date]) -> list[Chart]:
    """Return two charts for each of three events: seven statements in all."""
    windows = {
        "issued": (_window("issued_at", past), past, _("Issued"), _("Issued, by client")),
        "revoked": (_window("revoked_at", past), past, _("Revoked"), _("Revoked, by client")),
        "expiring": (_window("expires_at", ahead), ahead, _("Expiring"), _("Expiring, by client")),
    }
    by_client = {name: list(_by_client(tokens)) for name, (tokens, *_rest) in windows.items()}
    clients = Client.objects.in_bulk({key for rows in by_client.values() for key, _count in rows})
    charts = []
    for name, (tokens, days, title, title_by_client) in windows.items():
        field = {"issued": "issued_at", "revoked": "revoked_at", "expiring": "expires_at"}[name]
        named = [(clients[key], count) for key, count in by_client[name] if key in clients]
        charts += [
            day_chart(f"{name}-by-day", title, days, _by_day(tokens, field)),
            client_chart(f"{name}-by-client", title_by_client, named),
        ]
    return charts


def _window(field: str, days: list[date]) -> QuerySet[Token]:
    first = datetime(days[0].year, days[0].month, days[0].day, tzinfo=UTC)
    return Token.objects.filter(**{f"{field}__gte": first, f"{field}__lt": first + timedelta(days=len(days))})


def _by_day(tokens: QuerySet[Token], field: str) -> dict[date, int]:
    """Count by the beginning of the day in UTC: remainders, because not every database divides whole numbers alike."""
    midnight = ExpressionWrapper(F(field) - F(field) % Value(DAY), output_field=BigIntegerField())
    rows = tokens.annotate(midnight=midnight).values("midnight").annotate(count=Count("*"))
    return {
        datetime.fromtimestamp(midnight, UTC).date(): count
        for midnight, count in rows.order_by("midnight").values_list("midnight", "count")
    }


def _by_client(tokens: QuerySet[Token]) -> Any:
    rows = tokens.values("client").annotate(count=Count("*"))
    return rows.order_by("-count", "client").values_list("client", "count")[:TOP]


def _counted(days: list[date]) -> dict[str, Any]:
    """Return the charts of the counters, or the reason for their absence."""
    titles = {
        counters.FAILED_AUTHENTICATION: _("Failed client authentications"),
        counters.INACTIVE: _("Inactive answers"),
    }
    try:
        counts = counters.read(titles, days)
    except IntrospectionUnavailable:
        return {"counters": "unavailable"}
    if counts is None:
        return {"counters": "off"}
    charts = [day_chart(name, title, days, _of(name, counts)) for name, title in titles.items()]
    return {"counters": "on", "counted": charts}


def _of(name: str, counts: Mapping[tuple[str, date], int]) -> dict[date, int]:
    return {day: count for (counted, day), count in counts.items() if counted == name}
