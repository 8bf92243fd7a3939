from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client as Browser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_introspection.admin.token_filters import FILTERS
from django_introspection.admin.token_list import MAX_PAGES
from django_introspection.admin.token_state import State, in_state, state_of
from django_introspection.models import Client, Token
from django_introspection.models.fields import now
from django_introspection.protocol.opaque import digest
from tests import factories

LIST = "/admin/introspection/token/"


def found(browser: Browser, **query: str) -> list[Token]:
    response = browser.get(LIST, query)
    assert response.status_code == 200, response
    return list(response.context["cl"].result_list)


def make(count: int, **changes: Any) -> list[Token]:
    """Tokens without values, made in one statement."""
    client = changes.pop("client", None) or factories.RegistrationFactory().client
    fields = {"client": client, "kind": "access", "expires_at": now() + timedelta(hours=1), **changes}
    return Token.objects.bulk_create(Token(digest=digest(f"{client}{n}"), **fields) for n in range(count))


@pytest.mark.django_db
def test_every_token_is_in_one_state_whatever_it_is() -> None:
    at = now()
    moments = (at - timedelta(hours=1), at, at + timedelta(hours=1))
    clients = [factories.RegistrationFactory(is_active=active).client for active in (True, False)]
    users = [None, factories.UserFactory(), factories.UserFactory(is_active=False)]
    cases = product(clients, users, moments, (None, *moments), (None, at))
    names = ("client", "user", "expires_at", "not_before", "revoked_at")
    tokens = Token.objects.bulk_create(
        Token(digest=digest(str(n)), kind="access", **dict(zip(names, case, strict=True)))
        for n, case in enumerate(cases)
    )

    by_query = {state: set(in_state(Token.objects.all(), state, at)) for state in State.values}
    for token in tokens:
        assert [state for state, members in by_query.items() if token in members] == [state_of(token, at)]


@pytest.mark.parametrize("state", State.values)
def test_the_filter_shows_the_tokens_of_a_state_with_its_name(browser: Browser, state: str) -> None:
    hour = timedelta(hours=1)
    make(1)
    make(1, expires_at=now() - hour)
    make(1, revoked_at=now())
    make(1, not_before=now() + hour / 2)
    make(1, user=factories.UserFactory(is_active=False))
    make(1, client=factories.RegistrationFactory(is_active=False).client)

    (token,) = found(browser, state=state)
    assert state_of(token, now()) == state
    assert f'<td class="field-state">{State(state).label}</td>' in browser.get(LIST).content.decode()


def test_the_kind_and_the_client_are_filters(browser: Browser, machine: Any) -> None:
    make(2)
    mine = make(1, client=machine.client, kind="refresh")

    assert found(browser, client=machine.client.client_id) == found(browser, kind="refresh") == mine
    assert found(browser, client=machine.client.client_id, kind="access") == []
    assert len(found(browser, kind="nonsense", state="nonsense")) == 3


@pytest.mark.parametrize("client_id", ["nobody", "a\x00b", "' OR 1=1"])
def test_a_client_that_is_not_there_is_said_not_to_be(browser: Browser, client_id: str) -> None:
    make(1)
    page = browser.get(LIST, {"client": client_id})

    assert list(page.context["cl"].result_list) == []
    assert "There is no client with this ID." in page.content.decode()


def test_a_filter_calls_field_nothing_but_a_field_of_a_model() -> None:
    """django-grappelli asks each filter for the name of its field."""
    for each in FILTERS:
        assert not hasattr(each, "field")


def test_no_list_of_clients_is_offered(browser: Browser) -> None:
    names = [factories.RegistrationFactory().client.client_name for _ in range(3)]

    page = browser.get(LIST).content.decode()
    assert not [name for name in names if name in page]


def test_a_date_is_reached_by_year_month_and_day(browser: Browser) -> None:
    moment = datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
    leap = make(1, issued_at=moment)
    next_day = make(1, issued_at=moment + timedelta(seconds=1))
    make(1)
    page = browser.get(LIST).content.decode()
    assert "?issued=2024" in page
    assert "?issued=2024-02" in browser.get(LIST, {"issued": "2024"}).content.decode()
    assert "?issued=2024-02-29" in browser.get(LIST, {"issued": "2024-02"}).content.decode()
    assert "?issued=2024-02-30" not in browser.get(LIST, {"issued": "2024-02"}).content.decode()

    assert found(browser, issued="2024-02-29") == found(browser, issued="2024-02") == leap
    assert found(browser, issued="2024") == next_day + leap
    assert found(browser, issued="2024-03-01") == next_day


def test_the_date_of_expiry_is_a_filter_of_its_own(browser: Browser) -> None:
    december = make(1, expires_at=datetime(2031, 12, 31, tzinfo=UTC))
    make(1)

    assert found(browser, expires="2031-12") == found(browser, expires="2031", state="active") == december


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    value=st.text(max_size=12)
    | st.from_regex(r"\A-?[0-9]{1,5}(-[0-9]{1,3}){0,3}\Z")
    | st.sampled_from(["0", "9999", "9999-12", "9999-12-31", "10000", "2024-13", "2024-02-30", "--", "²"])
)
def test_a_date_that_is_none_breaks_nothing(browser: Browser, value: str) -> None:
    assert browser.get(LIST, {"issued": value, "expires": value}).status_code == 200


def test_pages_are_turned_without_counting(browser: Browser, django_assert_max_num_queries: Any) -> None:
    tokens = make(250)
    tokens.sort(key=lambda token: token.pk, reverse=True)
    with django_assert_max_num_queries(7) as captured:
        first = browser.get(LIST)
    second, third = (browser.get(LIST, {"p": page}) for page in "23")

    assert [list(page.context["cl"].result_list) for page in (first, second, third)] == [
        tokens[:100],
        tokens[100:200],
        tokens[200:],
    ]
    assert not [query for query in captured if "COUNT(" in query["sql"].upper()]
    for page, links in ((first, {"next"}), (second, {"prev", "next"}), (third, {"prev"})):
        assert set(re.findall(r'rel="(\w+)"', page.content.decode().split('class="paginator"')[1])) == links
    assert "Show all" not in first.content.decode()


@pytest.mark.parametrize("page", ["0", "-1", "4", str(MAX_PAGES + 1), "9" * 30, "x"])
def test_a_page_that_is_not_there_leads_back(browser: Browser, page: str) -> None:
    make(1)

    answer = browser.get(LIST, {"p": page}, follow=True)
    assert answer.status_code == 200
    assert len(answer.context["cl"].result_list) == 1


def test_the_last_page_that_can_be_turned_says_that_there_are_more(browser: Browser, monkeypatch: Any) -> None:
    monkeypatch.setattr("django_introspection.admin.token_list.MAX_PAGES", 1)
    make(101)

    assert "There are more tokens. Use a filter to find them." in browser.get(LIST).content.decode()


@pytest.mark.parametrize("query", [{"o": "5"}, {"o": "-3.2"}, {"all": ""}, {"_facets": "True"}])
def test_nothing_in_the_address_makes_the_list_slow(browser: Browser, query: dict[str, str]) -> None:
    make(101)
    response = browser.get(LIST, query)

    assert response.status_code == 200
    assert len(response.context["cl"].result_list) == 100
    assert response.context["cl"].get_ordering(response.wsgi_request, Token.objects.all()) == ["-id", "-pk"]


def test_the_client_of_a_uuid_is_found_by_it(browser: Browser) -> None:
    client = factories.RegistrationFactory(client_id="01a210c7-9e2b-7759-a6da-7b43b8392d23").client
    mine = make(1, client=client)

    assert found(browser, q=client.client_id) == mine
    assert Client.objects.count() == 1


@pytest.mark.django_db
def test_the_checks_of_the_admin_pass() -> None:
    call_command("check")
