from __future__ import annotations

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client as Browser

from django_introspection.models import Client, Token
from django_introspection.models.fields import uuid7
from tests import endpoints, factories
from tests.admin.traces import left_behind
from tests.authorization_server.helpers import sqlite_only
from tests.settings import AUDIENCE

LIST = "/admin/introspection/token/"
ISSUE = f"{LIST}issue/"


def form(client: Client, /, **changes: Any) -> dict[str, Any]:
    """The form as a browser sends it, each call another one."""
    filled = {"client": client.pk, "user": "", "scope": "orders:read", "audience": AUDIENCE}
    return {**filled, "lifetime": "600", "form_id": uuid7(), **changes}


def token_in(response: Any) -> str:
    found = re.findall(r"dit_at_[0-9A-Za-z]+", response.content.decode())
    assert len(found) == 1
    return str(found[0])


def told(response: Any) -> str:
    """The text of a page without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def test_a_token_is_issued_for_a_user_and_means_what_was_chosen(
    browser: Browser, machine: Any, user: Any, resource_server: Any
) -> None:
    answer = browser.post(ISSUE, form(machine.client, user=user.pk))

    members = endpoints.introspect(token_in(answer), auth=resource_server).json()
    assert (answer.status_code, members["active"], members["username"]) == (200, True, user.username)
    assert (members["scope"], members["aud"], members["exp"] - members["iat"]) == ("orders:read", [AUDIENCE], 600)


def test_a_token_of_the_client_itself_needs_no_more_than_the_client(browser: Browser, machine: Any) -> None:
    answer = browser.post(ISSUE, form(machine.client, scope="", audience="", lifetime=""))

    members = endpoints.introspect(token_in(answer), auth=machine).json()
    assert (members["sub"], members["exp"] - members["iat"]) == (machine.client.client_id, 3600)


def test_the_answer_is_kept_by_no_cache(browser: Browser, machine: Any) -> None:
    assert "no-store" in browser.post(ISSUE, form(machine.client))["Cache-Control"]


def test_the_value_is_nowhere_but_in_the_answer_that_made_it(browser: Browser, machine: Any, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    sent = form(machine.client)
    value = token_in(browser.post(ISSUE, sent))
    again = browser.post(ISSUE, sent)
    token = Token.objects.get()

    pages = (LIST, f"{LIST}{token.pk}/change/", f"{LIST}{token.pk}/history/", ISSUE, f"{LIST}overview/", "/admin/")
    assert not [text for text in [told(again), *left_behind(browser, caplog, *pages)] if value in text]


def test_the_history_says_who_issued_it(browser: Browser, machine: Any, superuser: Any) -> None:
    browser.post(ISSUE, form(machine.client))

    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.is_addition()) == (superuser, str(Token.objects.get().pk), True)
    assert entry.get_change_message() == "Issued."


def test_a_form_that_is_sent_twice_issues_one_token_and_says_so(browser: Browser, machine: Any) -> None:
    sent = form(machine.client)
    value = token_in(browser.post(ISSUE, sent))
    again = browser.post(ISSUE, sent)

    assert (again.status_code, Token.objects.count(), LogEntry.objects.count()) == (409, 1, 1)
    assert value not in again.content.decode()
    assert str(Token.objects.get().pk) in told(again)
    assert "revoke the token and issue another one" in told(again)


def test_a_form_that_is_sent_many_times_at_once_issues_one_token(database_url: str, browser: Browser) -> None:
    sent = form(factories.RegistrationFactory().client)
    cookies = browser.cookies

    def send(_: int) -> Any:
        another = Browser()
        another.cookies = cookies
        try:
            return another.post(ISSUE, sent).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(send, range(6)))

    assert statuses == [200, *[409] * 5]
    assert (Token.objects.count(), LogEntry.objects.count()) == (1, 1)


def test_an_expired_form_is_shown_again_with_its_values(browser: Browser, machine: Any) -> None:
    sent = form(machine.client)
    with time_machine.travel(timedelta(minutes=59), tick=False):
        in_time = browser.post(ISSUE, {**sent, "lifetime": "0"})
    with time_machine.travel(timedelta(minutes=61), tick=False):
        browser.force_login(factories.User.objects.get(username="root"))
        late = browser.post(ISSUE, sent)
        assert "This form was open for too long" in told(late)
        assert Token.objects.count() == 0
        fresh = {**sent, "form_id": late.context["form"]["form_id"].value()}
        assert late.context["form"]["scope"].value() == "orders:read"
        assert browser.post(ISSUE, fresh).status_code == 200

    assert "too long" not in told(in_time)
    assert Token.objects.count() == 1


@pytest.mark.parametrize(
    "form_id", ["", "nonsense", "01961e6f-0000-4000-8000-000000000000", "01961e6f-0000-7000-8000-000000000000"]
)
def test_a_form_with_an_id_that_was_not_made_now_issues_nothing(browser: Browser, machine: Any, form_id: str) -> None:
    answer = browser.post(ISSUE, form(machine.client, form_id=form_id))

    assert "Nothing was saved" in told(answer)
    assert Token.objects.count() == 0
    fresh = answer.context["form"]["form_id"].value()
    assert token_in(browser.post(ISSUE, form(machine.client, form_id=fresh)))


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("client", "nobody", "There is no client with this ID."),
        ("client", "", "This field is required."),
        ("client", "a\x00b", "Null characters are not allowed."),
        ("user", "nobody", "There is no user with this name."),
        ("scope", 'a "b"', "Enter scopes with one space between"),
        ("audience", "orders", "orders must be an absolute URI"),
        ("lifetime", "0", "greater than or equal to 1"),
        ("lifetime", str(10**12), "less than or equal to"),
    ],
)
def test_a_wrong_field_is_named_and_the_rest_is_kept(
    browser: Browser, machine: Any, field: str, value: str, problem: str
) -> None:
    answer = browser.post(ISSUE, form(machine.client, **{field: value}))

    assert problem in str(answer.context["form"].errors[field])
    assert Token.objects.count() == 0
    if field != "scope":
        assert 'value="orders:read"' in answer.content.decode()


def test_no_token_is_issued_for_a_client_or_a_user_that_is_disabled(browser: Browser, machine: Any, user: Any) -> None:
    sent = form(machine.client, user=user.pk)
    Client.objects.update(is_active=False)
    factories.User.objects.filter(pk=user.pk).update(is_active=False)
    answer = browser.post(ISSUE, sent)

    assert answer.context["form"].errors.keys() == {"client", "user"}
    assert Token.objects.count() == 0


def test_a_client_that_was_deleted_meanwhile_is_named(browser: Browser, machine: Any) -> None:
    sent = form(machine.client)
    machine.client.delete()

    assert "There is no client with this ID." in told(browser.post(ISSUE, sent))


def test_a_jwt_without_an_audience_is_refused_in_the_form(browser: Browser) -> None:
    client = factories.RegistrationFactory(access_token_format="jwt").client
    answer = browser.post(ISSUE, form(client, audience=""))

    assert "A JWT access token needs" in told(answer)
    assert Token.objects.count() == 0


def test_a_link_fills_in_the_client_and_the_user(browser: Browser, machine: Any, user: Any, staff_browser: Any) -> None:
    query = {"client_id": machine.client.client_id, "username": user.username}
    superuser, staff = (each.get(ISSUE, query).content.decode() for each in (browser, staff_browser("issue_token")))

    assert f'<option value="{machine.client.pk}" selected>' in superuser
    assert f'<option value="{user.pk}" selected>' in superuser
    assert f'value="{machine.client.client_id}"' in staff
    assert f'value="{user.username}"' in staff
    assert browser.get(ISSUE, {"client_id": "a\x00b", "username": "nobody"}).status_code == 200


@pytest.mark.parametrize(("codenames", "status"), [((), 403), (("view_token",), 403), (("issue_token",), 200)])
def test_issuing_needs_its_permission_and_says_so(
    staff_browser: Any, machine: Any, codenames: tuple[str, ...], status: int
) -> None:
    staff = staff_browser(*codenames)
    answer = staff.get(ISSUE)

    assert answer.status_code == status
    if status == 403:
        assert "introspection.issue_token" in told(answer)
        assert staff.post(ISSUE, form(machine.client)).status_code == 403
    else:
        sent = form(machine.client, client=machine.client.client_id, audience="")
        assert LIST not in staff.post(ISSUE, sent).content.decode()
    assert Token.objects.count() == (status == 200)


def test_nobody_who_is_not_staff_sees_the_form(user: Any) -> None:
    browser = Browser()
    browser.force_login(user)

    assert browser.get(ISSUE).status_code == 302


@sqlite_only
def test_a_form_from_elsewhere_is_refused(machine: Any, superuser: Any) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(superuser)

    assert browser.post(ISSUE, form(machine.client)).status_code == 403
    assert Token.objects.count() == 0
