from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from django_introspection.models import Token
from tests import factories
from tests.scale.rows import CLIENTS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tokens")]

LIST = "/admin/introspection/token/"
TABLE = "introspection_token"
MOST_READ = 60_000
"""Rows that a page of the list may look at."""


@pytest.fixture
def browser(db: None) -> Browser:
    """A browser of a superuser."""
    browser = Browser()
    browser.force_login(factories.User.objects.create_superuser("root", password="x"))
    return browser


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def plans(captured: CaptureQueriesContext) -> Iterator[dict[str, Any]]:
    """Run each statement that reads tokens again, and return how the database did it."""
    statements = [query["sql"] for query in captured if query["sql"].startswith("SELECT") and TABLE in query["sql"]]
    assert statements
    for statement in statements:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.replace('%', '%%')}", {})
            plan = cursor.fetchone()[0]
        yield (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]


def assert_by_index(captured: CaptureQueriesContext, most: int | None) -> None:
    """Assert that no statement reads the table from end to end, and how many of its rows each one looks at."""
    for plan in plans(captured):
        touching = [node for node in nodes(plan) if node.get("Relation Name") == TABLE]
        assert not [node for node in touching if node["Node Type"] == "Seq Scan"], json.dumps(plan, indent=1)
        read = sum(
            (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in touching
        )
        assert most is None or read <= most, json.dumps(plan, indent=1)


def test_a_statement_that_reads_the_table_from_end_to_end_is_found() -> None:
    with CaptureQueriesContext(connection) as captured:
        list(Token.objects.filter(scope="nobody has this")[:1])

    with pytest.raises(AssertionError, match="Seq Scan"):
        assert_by_index(captured, None)


def day(ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=ago)).strftime("%Y-%m-%d")


PAGES = {
    "all": {},
    "page 90": {"p": "90"},
    "active": {"state": "active"},
    "expired": {"state": "expired"},
    "revoked": {"state": "revoked"},
    "not yet valid": {"state": "not-yet-valid"},
    "client disabled": {"state": "client-disabled"},
    "owner disabled": {"state": "owner-disabled"},
    "access": {"kind": "access"},
    "refresh": {"kind": "refresh"},
    "a large client": {"client": "client-1"},
    "a small client": {"client": f"client-{CLIENTS - 1}"},
    "no client": {"client": "nobody"},
    "a user": {"user": "person-5"},
    "a user, revoked": {"user": "person-5", "state": "revoked"},
    "no user": {"user": "nobody"},
    "issued in a year": {"issued": day(0)[:4]},
    "issued in a month": {"issued": day(40)[:7]},
    "issued on a day": {"issued": day(80)},
    "expires in a month": {"expires": day(0)[:7]},
    "expires on a day": {"expires": day(-5)},
    "a large client, revoked": {"client": "client-1", "state": "revoked"},
    "a small client, revoked": {"client": f"client-{CLIENTS - 1}", "state": "revoked"},
    "a small client, active": {"client": f"client-{CLIENTS - 1}", "state": "active"},
    "revoked, issued on a day": {"state": "revoked", "issued": day(80)},
    "search for a client": {"q": f"client-{CLIENTS - 1}"},
    "search for nothing": {"q": "nothing"},
}


@pytest.mark.parametrize("query", PAGES.values(), ids=PAGES)
def test_the_list_is_read_by_an_index_in_seven_statements(browser: Browser, query: dict[str, str]) -> None:
    with CaptureQueriesContext(connection) as captured:
        response = browser.get(LIST, query)

    assert response.status_code == 200
    assert len(captured) <= 7
    assert_by_index(captured, MOST_READ)


@pytest.mark.parametrize("name", ["pk", "grant_id"])
def test_the_search_finds_an_identifier_by_its_index(browser: Browser, name: str) -> None:
    wanted = str(getattr(Token.objects.order_by("pk")[12345], name))
    with CaptureQueriesContext(connection) as captured:
        response = browser.get(LIST, {"q": wanted})

    assert {str(getattr(token, name)) for token in response.context["cl"].result_list} == {wanted}
    assert len(captured) <= 7
    assert_by_index(captured, 100)


def test_the_page_of_a_token_and_that_which_revokes_it_read_a_grant_alone(browser: Browser) -> None:
    token = Token.objects.order_by("pk")[12345]
    for page, most in (("change", 4), ("revoke", 6)):
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(f"{LIST}{token.pk}/{page}/").status_code == 200
        assert len(captured) <= most
        assert_by_index(captured, 100)


def test_the_debugger_asks_for_one_token_at_a_time(browser: Browser) -> None:
    machine = factories.RegistrationFactory()
    issued = factories.TokenFactory(client=machine.client)
    asked = {"token": issued.access_token, "backend": "default", "caller": machine.client.client_id}
    with CaptureQueriesContext(connection) as captured:
        page = browser.post(f"{LIST}debugger/", asked).content.decode()

    assert re.search("Active", page)
    assert len(captured) <= 6
    assert_by_index(captured, 100)


def test_the_overview_reads_its_windows_by_index_in_nine_statements(browser: Browser) -> None:
    with CaptureQueriesContext(connection) as captured:
        response = browser.get(f"{LIST}overview/")

    assert response.status_code == 200
    assert len(captured) <= 9
    assert_by_index(captured, None)
