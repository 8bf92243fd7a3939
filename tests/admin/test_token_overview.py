from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.conf import settings as project
from django.core.cache import cache
from django.test import Client as Browser
from django.utils import translation

from django_introspection import counters
from django_introspection.admin.overview import DAYS
from django_introspection.admin.overview_charts import day_chart
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Token
from tests import caches as test_caches
from tests import endpoints, factories

LIST = "/admin/introspection/token/"
COUNTED = [counters.INACTIVE, counters.FAILED_AUTHENTICATION]
OVERVIEW = f"{LIST}overview/"


@pytest.fixture
def counting(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "COUNTERS": {}}


def charts(browser: Browser) -> dict[str, Any]:
    context = browser.get(OVERVIEW).context
    return {chart.name: chart for chart in [*context["charts"], *context.get("counted", [])]}


def days_ago(days: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)


def test_tokens_are_counted_by_day_and_by_client_within_the_window(browser: Browser, machine: Any) -> None:
    for days in (0, 0, 1, DAYS - 1, DAYS):
        token = factories.TokenFactory(client=machine.client).token
        Token.objects.filter(pk=token.pk).update(issued_at=days_ago(days))
    factories.TokenFactory()
    shown = charts(browser)

    by_day = [bar.count for bar in shown["issued-by-day"].bars]
    assert by_day == [1, *[0] * (DAYS - 3), 1, 3]
    assert next((bar.client, bar.count) for bar in shown["issued-by-client"].bars) == (machine.client, 4)
    assert shown["issued-by-client"].total == 5


def test_revoked_and_expiring_tokens_have_charts_of_their_own(browser: Browser) -> None:
    first, second = (factories.TokenFactory(lifetime=timedelta(days=days)).token for days in (3, DAYS + 1))
    revoke_token(first, by=None)
    revoke_token(second, by=None)
    shown = charts(browser)

    assert [bar.count for bar in shown["revoked-by-day"].bars] == [0] * (DAYS - 1) + [2]
    assert [bar.count for bar in shown["expiring-by-day"].bars][3] == shown["expiring-by-day"].total == 1
    assert shown["expiring-by-client"].total == 1


def test_the_clients_with_most_tokens_are_shown_first_and_the_rest_left_out(browser: Browser) -> None:
    busy = factories.RegistrationFactory().client
    for _ in range(2):
        factories.TokenFactory(client=busy)
    for _ in range(11):
        factories.TokenFactory()
    bars = charts(browser)["issued-by-client"].bars

    assert (len(bars), bars[0].client) == (10, busy)


def test_the_page_costs_the_same_statements_whatever_it_shows(
    browser: Browser, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        factories.TokenFactory()

    with django_assert_max_num_queries(9):
        browser.get(OVERVIEW)


def test_an_empty_server_has_nothing_to_draw(browser: Browser) -> None:
    page = browser.get(OVERVIEW).content.decode()

    assert page.count("None.") == 6
    assert 'role="img"' not in page


@pytest.mark.parametrize("language", ["en", "de", "ar"])
def test_the_drawing_is_well_formed_in_every_language_and_needs_nothing_inline(
    settings: Any, browser: Browser, language: str
) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    factories.TokenFactory(client=factories.RegistrationFactory(client_name='<b>"&"</b>').client)
    with translation.override(language):
        page = browser.get(OVERVIEW, headers={"Accept-Language": language}).content.decode()

    drawings = re.findall(r"<svg viewBox[^>]*role.*?</svg>", page, re.DOTALL)
    assert len(drawings) == 4
    for drawing in drawings:
        parsed = ET.fromstring(drawing)  # noqa: S314 - our own
        places = [bar.attrib[name] for bar in parsed.iter("rect") for name in ("x", "y", "width", "height")]
        assert all(place.isdecimal() for place in places)
    ours = page[page.index("introspection-charts") :]
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script", ours)
    assert "&lt;b&gt;" in page


def test_each_drawing_has_its_numbers_in_a_table(browser: Browser) -> None:
    client = factories.TokenFactory().token.client
    page = browser.get(OVERVIEW).content.decode()

    assert page.count('role="img"') == page.count("<details>") == 4
    assert f"{LIST}?client={client.client_id}" in page


def test_without_the_setting_nothing_is_counted_and_the_page_says_how(browser: Browser, machine: Any) -> None:
    endpoints.introspect("unknown", auth=machine)

    assert "set COUNTERS in TOKEN_INTROSPECTION" in browser.get(OVERVIEW).content.decode()
    assert cache.get_many([f"introspection:count:{name}:{days_ago(0).date()}" for name in COUNTED]) == {}


@pytest.mark.usefixtures("counting")
def test_failed_authentications_and_inactive_answers_are_counted_by_day(browser: Browser, machine: Any) -> None:
    issued = factories.TokenFactory(client=machine.client)
    for token in ("unknown", "unknown", issued.access_token):
        endpoints.introspect(token, auth=machine)
    endpoints.introspect("unknown", auth=endpoints.basic("nobody", "x" * 40))
    shown = charts(browser)

    assert len(cache.get_many([f"introspection:count:{name}:{days_ago(0).date()}" for name in COUNTED])) == 2
    assert [bar.count for bar in shown[counters.INACTIVE].bars] == [0] * (DAYS - 1) + [2]
    assert [bar.count for bar in shown[counters.FAILED_AUTHENTICATION].bars] == [0] * (DAYS - 1) + [1]


@pytest.mark.usefixtures("counting")
def test_a_count_that_was_lost_begins_again(machine: Any) -> None:
    endpoints.introspect("unknown", auth=machine)
    test_caches.empty()
    endpoints.introspect("unknown", auth=machine)

    counted = counters.read([counters.INACTIVE], [days_ago(0).date()])
    assert counted == {(counters.INACTIVE, days_ago(0).date()): 1}


@pytest.fixture
def broken_cache(settings: Any, tmp_path: Any) -> None:
    """A cache that raises whatever is asked of it, beside one that works."""
    (tmp_path / "cache").touch()
    backend = {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(tmp_path / "cache")}
    settings.CACHES = {**project.CACHES, "broken": backend}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "COUNTERS": {"ALIAS": "broken"}}


@pytest.mark.usefixtures("broken_cache")
def test_a_cache_that_is_down_changes_no_answer_and_the_page_says_so(browser: Browser, machine: Any) -> None:
    assert endpoints.introspect("unknown", auth=machine).json() == {"active": False}
    assert endpoints.introspect("unknown", auth=endpoints.basic("nobody", "x" * 40)).status_code == 401
    answer = browser.get(OVERVIEW)

    assert answer.status_code == 200
    assert "The cache of COUNTERS does not answer" in answer.content.decode()


@pytest.mark.parametrize("wrong", [{"ALIAS": "nowhere"}, {"ALIAS": None}, {"ALIASES": "default"}, "default"])
def test_wrong_settings_count_nothing_and_change_no_answer(settings: Any, machine: Any, wrong: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "COUNTERS": wrong}

    assert endpoints.introspect("unknown", auth=machine).json() == {"active": False}


@pytest.mark.parametrize(("codenames", "status"), [((), 403), (("issue_token",), 403), (("view_token",), 200)])
def test_the_page_needs_its_permission(staff_browser: Any, codenames: tuple[str, ...], status: int) -> None:
    assert staff_browser(*codenames).get(OVERVIEW).status_code == status


@pytest.mark.parametrize(("codenames", "linked"), [(("view_client",), False), (("view_token",), True)])
def test_the_index_of_the_app_leads_there_for_who_may(
    staff_browser: Any, codenames: tuple[str, ...], linked: bool
) -> None:
    page = staff_browser(*codenames).get("/admin/introspection/").content.decode()

    assert (OVERVIEW in page) == (f"{LIST}debugger/" in page) == linked


def test_the_days_name_their_month_at_the_beginning_and_on_the_first() -> None:
    days = [date(2026, 11, 29) + timedelta(days=ahead) for ahead in range(4)]

    chart = day_chart("issued", "Issued", days, {})

    assert [(bar.short, bar.month) for bar in chart.bars] == [("29", "Nov"), ("30", ""), ("1", "Dec"), ("2", "")]
