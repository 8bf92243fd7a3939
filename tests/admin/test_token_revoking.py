from __future__ import annotations

import re
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser

from django_introspection.models import Token
from tests import endpoints, factories

LIST = "/admin/introspection/token/"


@pytest.fixture
def issued(machine: Any, user: Any) -> Any:
    """An access and a refresh token of a user."""
    return factories.TokenFactory(client=machine.client, user=user, refresh=True)


def told(response: Any) -> str:
    """The text of a page without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def page_of(token: Token) -> str:
    return f"{LIST}{token.pk}/revoke/"


def refresh_token() -> Token:
    return Token.objects.get(kind="refresh")


def live() -> int:
    return Token.objects.filter(revoked_at=None).count()


def choose(browser: Browser, *keys: Any, **more: str) -> Any:
    form = {"action": "revoke_tokens", "_selected_action": [str(key) for key in keys], **more}
    return browser.post(LIST, form, follow=True)


def test_the_page_says_what_each_way_would_end_and_does_nothing(browser: Browser, issued: Any) -> None:
    page = told(browser.get(page_of(issued.token)))

    assert "This token only 1 token will be revoked." in page
    assert "The refresh token of its grant stays active" in page
    assert "The whole grant 2 tokens will be revoked." in page
    assert live() == 2


def test_a_token_is_revoked_alone(browser: Browser, issued: Any) -> None:
    answer = browser.post(page_of(issued.token), {"token": ""}, follow=True)

    token = Token.objects.get(pk=issued.token.pk)
    assert "1 token was revoked." in told(answer)
    assert (live(), token.revoked_by) == (1, "operator root")
    assert re.search(r"revoked: .+ UTC, by the operator root", told(answer), re.IGNORECASE)


def test_a_whole_grant_is_revoked_and_each_history_says_so(browser: Browser, issued: Any, superuser: Any) -> None:
    browser.post(page_of(issued.token), {"grant": ""})

    assert live() == 0
    assert {UUID(entry.object_id) for entry in LogEntry.objects.all()} == set(
        Token.objects.values_list("pk", flat=True)
    )
    assert {(entry.user, entry.get_change_message()) for entry in LogEntry.objects.all()} == {(superuser, "Revoked.")}


def test_a_refresh_token_ends_with_its_grant(browser: Browser, issued: Any) -> None:
    page = browser.get(page_of(refresh_token()))
    assert "Revoke this token" not in page.content.decode()
    browser.post(page_of(refresh_token()), {"grant": ""})

    assert live() == 0


def test_tokens_that_expired_are_told_apart(browser: Browser, issued: Any) -> None:
    Token.objects.filter(pk=issued.token.pk).update(expires_at=1)

    assert "Already expired: 1" in told(browser.get(page_of(issued.token)))


def test_revoking_twice_changes_nothing_and_says_so(browser: Browser, issued: Any) -> None:
    browser.post(page_of(issued.token), {"token": ""})
    before = Token.objects.get(pk=issued.token.pk)
    assert "This token was revoked: " in told(browser.get(page_of(issued.token)))
    answer = browser.post(page_of(issued.token), {"token": ""}, follow=True)

    after = Token.objects.get(pk=issued.token.pk)
    assert "No tokens had to be revoked" in told(answer)
    assert (after.revoked_at, after.revoked_by) == (before.revoked_at, before.revoked_by)
    assert LogEntry.objects.count() == 1


def test_a_token_that_was_deleted_meanwhile_is_said_to_be(browser: Browser, issued: Any) -> None:
    address = page_of(issued.token)
    issued.token.delete()

    for answer in (browser.get(address, follow=True), browser.post(address, {"token": ""}, follow=True)):
        assert "It may have been deleted." in told(answer)
    assert live() == 1


def test_the_action_says_first_how_many_it_would_end(browser: Browser, issued: Any) -> None:
    other = factories.TokenFactory().token
    page = told(choose(browser, refresh_token().pk, other.pk))

    assert "revoke 2 selected tokens?" in page
    assert "1 of them is a refresh token" in page
    assert "3 tokens will be revoked. Access tokens: 2 Refresh tokens: 1" in page
    assert live() == 3
    assert "3 tokens were revoked." in told(choose(browser, refresh_token().pk, other.pk, confirmed="yes"))
    assert live() == 0


def test_a_chosen_token_that_was_deleted_meanwhile_is_counted_apart(browser: Browser, issued: Any) -> None:
    other = factories.TokenFactory().token
    key = other.pk
    other.delete()
    answer = told(choose(browser, issued.token.pk, key, confirmed="yes"))

    assert "1 token was revoked." in answer
    assert "1 of the tokens does not exist any more." in answer


def test_more_tokens_than_a_page_can_wait_for_are_refused(browser: Browser, issued: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("django_introspection.admin.token_revoking.MAX_SELECTED", 1)
    answer = choose(browser, issued.token.pk, select_across="1", confirmed="yes")

    assert "More than 1 token is selected. Nothing was changed." in told(answer)
    assert live() == 2


@pytest.mark.parametrize(
    ("codenames", "status"),
    [((), 403), (("view_token",), 403), (("revoke_token",), 403), (("view_token", "revoke_token"), 200)],
)
def test_revoking_needs_its_permissions_and_says_which(
    staff_browser: Any, issued: Any, codenames: tuple[str, ...], status: int
) -> None:
    staff = staff_browser(*codenames)
    answer = staff.get(page_of(issued.token))
    staff.post(page_of(issued.token), {"token": ""})

    assert answer.status_code == status
    assert live() == (1 if status == 200 else 2)
    if status == 403:
        assert "introspection.revoke_token" in told(answer) or "introspection.view_token" in told(answer)


def test_a_permission_that_was_taken_away_meanwhile_stops_the_action(staff_browser: Any, issued: Any) -> None:
    staff = staff_browser("view_token", "revoke_token")
    choose(staff, issued.token.pk)
    factories.User.objects.get(username="staff").user_permissions.filter(codename="revoke_token").delete()
    choose(staff, issued.token.pk, confirmed="yes")

    assert live() == 2


def test_a_client_that_revokes_and_a_thief_that_is_found_out_are_named(issued: Any, machine: Any) -> None:
    other = factories.TokenFactory(client=machine.client)
    endpoints.post("/oauth/revoke", {"token": other.access_token}, auth=machine)
    factories.Client.objects.update(grant_types=["refresh_token"])
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    assert endpoints.post("/oauth/token", form, auth=machine).status_code == 200
    assert endpoints.post("/oauth/token", form, auth=machine).status_code == 400

    said = set(Token.objects.values_list("revoked_by", flat=True))
    assert said == {f"client {machine.client.client_id}", "", "reuse of a refresh token"}
    assert Token.objects.get(revoked_by="").rotated_at is not None


def test_who_revokes_all_tokens_of_a_client_is_named(browser: Browser, issued: Any, machine: Any) -> None:
    browser.post(f"/admin/introspection/client/{machine.client.pk}/revoke/")

    assert set(Token.objects.values_list("revoked_by", flat=True)) == {"operator root"}


def test_a_refresh_is_named_on_the_page_of_the_token_that_it_used(browser: Browser, issued: Any, machine: Any) -> None:
    used = refresh_token()
    factories.Client.objects.update(grant_types=["refresh_token"])
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    endpoints.post("/oauth/token", form, auth=machine)

    assert "UTC, by a refresh" in told(browser.get(f"{LIST}{used.pk}/change/"))


def test_a_name_that_is_too_long_is_cut(browser: Browser, issued: Any, superuser: Any) -> None:
    long = "r" * 150
    factories.User.objects.filter(pk=superuser.pk).update(username=long)
    browser.post(page_of(issued.token), {"token": ""})

    assert Token.objects.get(pk=issued.token.pk).revoked_by == f"operator {long}"


def test_the_security_log_names_the_operator(browser: Browser, issued: Any, caplog: Any) -> None:
    caplog.set_level("INFO", "django_introspection.security")
    browser.post(page_of(issued.token), {"token": ""})

    assert f"tokens revoked tokens={issued.token.pk} by='operator root'" in caplog.text


def test_a_token_is_revoked_before_it_is_deleted(browser: Browser, issued: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    from django_introspection import revocations

    identity = bytes(issued.token.digest)
    browser.post(f"{LIST}{issued.token.pk}/delete/", {"post": "yes"})
    assert not Token.objects.filter(pk=issued.token.pk).exists()
    assert revocations.is_revoked(identity)

    refresh = refresh_token()
    choose_delete = {"action": "delete_selected", "_selected_action": [str(refresh.pk)], "post": "yes"}
    browser.post(LIST, choose_delete)
    assert Token.objects.count() == 0


@pytest.mark.parametrize("key", [1_234_567])
def test_links_name_a_user_by_its_key_however_numbers_are_written(key: int, browser: Browser, settings: Any) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    token = factories.TokenFactory(user=factories.UserFactory(pk=key)).token

    page = browser.get(f"{LIST}{token.pk}/change/").content.decode()
    question = browser.get(f"{LIST}user/{key}/revoke/").content.decode()

    for text in (page, question):
        (query,) = re.findall(r'href="[^"]*/token/(\?user=[^"]*)"', text)
        assert query == f"?user={key}"
        assert str(token.pk) in browser.get(f"{LIST}{query}").content.decode()
