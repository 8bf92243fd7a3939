from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser

from django_introspection.models import Token
from tests import endpoints, factories

LIST = "/admin/introspection/token/"


@pytest.fixture
def issued(machine: Any, user: Any) -> Any:
    """An access and a refresh token of a user."""
    return factories.TokenFactory(client=machine.client, user=user, refresh=True, members={"acr": "urn:gold"})


def page_of(token: Token) -> str:
    return f"{LIST}{token.pk}/change/"


def revoke(browser: Browser, *tokens: Token) -> Any:
    """Choose the action, read what will happen, and confirm it."""
    form = {"action": "revoke_tokens", "_selected_action": [str(token.pk) for token in tokens]}
    browser.post(LIST, form)
    return browser.post(LIST, {**form, "confirmed": "yes"}, follow=True)


def refresh_token() -> Token:
    return Token.objects.get(kind="refresh")


def active(value: str, auth: Any) -> bool:
    return bool(endpoints.introspect(value, auth=auth).json()["active"])


def test_the_pages_of_a_token_never_show_its_value(browser: Browser, issued: Any) -> None:
    pages = [browser.get(url).content.decode() for url in (LIST, page_of(issued.token))]

    for page in pages:
        assert str(issued.token.pk) in page
        assert str(issued.token.user) in page
        assert "orders:read" in page
        assert issued.access_token not in page
        assert issued.refresh_token not in page
        assert issued.token.digest.hex() not in page
    assert "urn:gold" in pages[1]


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("use_tz", [True, False])
def test_the_pages_are_shown_under_every_time_setting(
    settings: Any, browser: Browser, issued: Any, use_tz: bool
) -> None:
    settings.USE_TZ = use_tz

    assert browser.get(LIST).status_code == 200
    assert browser.get(page_of(issued.token)).status_code == 200


def test_the_list_costs_the_same_statements_whatever_it_holds(
    browser: Browser, issued: Any, django_assert_max_num_queries: Any
) -> None:
    for _ in range(10):
        factories.TokenFactory(user=factories.UserFactory())

    with django_assert_max_num_queries(8):
        browser.get(LIST)


@pytest.mark.parametrize(
    ("change", "state"),
    [({}, "active"), ({"revoked_at": 1}, "revoked"), ({"expires_at": 1}, "expired")],
)
def test_the_page_says_whether_the_token_is_good(
    browser: Browser, issued: Any, change: dict[str, int], state: str
) -> None:
    Token.objects.update(**change)

    assert f'<div class="readonly">{state}</div>' in browser.get(page_of(issued.token)).content.decode()


def test_a_token_can_be_neither_typed_nor_edited(browser: Browser, issued: Any) -> None:
    page = browser.get(page_of(issued.token)).content.decode()

    assert browser.get(f"{LIST}add/").status_code == 403
    assert browser.post(page_of(issued.token), {"scope": "admin", "expires_at": "9999-12-31"}).status_code == 403
    assert 'name="scope"' not in page
    assert 'name="_save"' not in page
    assert Token.objects.get(pk=issued.token.pk).scope == "orders:read"


def test_the_action_revokes_the_chosen_token_at_once_and_notes_it(browser: Browser, issued: Any, machine: Any) -> None:
    response = revoke(browser, issued.token)

    assert [str(message) for message in response.context["messages"]] == ["1 token was revoked."]
    assert not active(issued.access_token, machine)
    assert active(issued.refresh_token, machine)
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (str(issued.token.pk), "Revoked.")


def test_the_action_on_a_refresh_token_ends_its_grant(browser: Browser, issued: Any, machine: Any) -> None:
    revoke(browser, refresh_token())

    assert not active(issued.access_token, machine)
    assert not active(issued.refresh_token, machine)


def test_revoking_a_whole_grant_and_a_revoked_token_is_no_error(browser: Browser, issued: Any) -> None:
    first = revoke(browser, refresh_token(), issued.token)
    again = revoke(browser, refresh_token(), issued.token)

    assert first.status_code == again.status_code == 200
    assert [str(message) for message in again.context["messages"]] == ["No tokens had to be revoked."]
    assert LogEntry.objects.count() == 2


def test_the_action_says_that_caches_were_not_told_and_revokes_all_the_same(
    browser: Browser, issued: Any, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "cache").touch()
    cache = {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(tmp_path / "cache")}
    settings.CACHES = {"default": cache}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}

    response = revoke(browser, issued.token, refresh_token())

    told = [str(message) for message in response.context["messages"]]
    assert "the cache of revocations did not answer" in told[0]
    assert told[1] == "2 tokens were revoked."
    assert not Token.objects.filter(revoked_at=None).exists()


@pytest.mark.parametrize("by", ["id", "grant", "client"])
def test_the_search_finds_a_token_by_its_identifiers(browser: Browser, issued: Any, by: str) -> None:
    factories.TokenFactory()
    token = issued.token
    query = {"id": token.pk, "grant": token.grant_id, "client": token.client.client_id}[by]

    found = {each.pk for each in browser.get(LIST, {"q": str(query)}).context["cl"].result_list}

    assert token.pk in found
    assert len(found) == (1 if by == "id" else 2)


@pytest.mark.parametrize("query", ["nonsense", "é", "' OR 1=1", str(uuid.UUID(int=0)), "dit_at_x", "a\x00b"])
def test_a_search_for_anything_else_finds_nothing_and_breaks_nothing(browser: Browser, issued: Any, query: str) -> None:
    response = browser.get(LIST, {"q": query})

    assert response.status_code == 200
    assert "dit_" not in query or issued.access_token not in response.content.decode()


@pytest.mark.parametrize(
    ("codenames", "allowed"),
    [
        ((), set()),
        (("view_token",), {"list", "page"}),
        (("change_token",), {"list", "page"}),
        (("revoke_token",), set()),
        (("view_token", "revoke_token"), {"list", "page", "revoke"}),
        (("delete_token", "change_client"), set()),
    ],
)
def test_to_look_and_to_revoke_need_their_permissions(
    staff_browser: Any, issued: Any, codenames: tuple[str, ...], allowed: set[str]
) -> None:
    staff = staff_browser(*codenames)
    answers = {"list": staff.get(LIST), "page": staff.get(page_of(issued.token))}
    revoke(staff, issued.token)

    done = {name for name, answer in answers.items() if answer.status_code == 200}
    if Token.objects.get(pk=issued.token.pk).revoked_at:
        done.add("revoke")
    assert done == allowed
