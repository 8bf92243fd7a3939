from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Token
from tests import endpoints, factories
from tests.browser.clicking import click_twice
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("operator")]

LIST = "/admin/introspection/token/"
Examine = Callable[[str], None]


def test_an_operator_issues_a_token_and_sees_it_once(page: Any, examine: Examine, problems: list[str]) -> None:
    machine, api, user = factories.RegistrationFactory(), factories.ResourceServerFactory(), factories.UserFactory()
    page.goto(LIST)
    page.get_by_role("link", name="Issue token").first.click()
    page.get_by_label("Lifetime:").fill("0")
    with page.expect_navigation():
        page.get_by_role("button", name="Issue token").click()
    expect(page).to_have_title(re.compile(r"^Error: Issue token"))
    examine("token-issue-refused")
    look_up(page, "client", machine.client.client_name)
    look_up(page, "user", user.username)
    page.get_by_label("Lifetime:").fill("")
    page.get_by_label("Scope:").fill("orders:read")
    page.get_by_label("Audience:").fill(AUDIENCE)
    examine("token-issue")
    click_twice(page, "Issue token")
    value = page.locator("#access-token").inner_text()
    page.get_by_role("button", name="Copy token").click()
    page.get_by_text("Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == value
    examine("token-issued")

    assert endpoints.introspect(value, auth=api).json()["username"] == user.username
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.get_by_text("nothing was issued a second time").wait_for()
    examine("token-issued-already")
    assert value not in page.content()
    assert Token.objects.count() == 1
    problems[:] = [each for each in problems if "409" not in each]


def look_up(page: Any, field: str, name: str) -> None:
    """Choose in Django's autocomplete as an operator does."""
    page.locator(f".field-{field} .select2-selection").click()
    page.locator(".select2-search__field").last.fill(name)
    page.locator(".select2-results__option", has_text=name).first.click()


def test_the_debugger_is_used_by_the_keyboard_alone(page: Any, examine: Examine) -> None:
    issued = factories.TokenFactory(user=factories.UserFactory())
    caller = factories.ResourceServerFactory(client_name="Orders API").client
    page.goto(f"{LIST}debugger/")
    examine("debugger")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "token":
            break
    page.keyboard.insert_text(f"  Bearer {issued.access_token[:30]}\n{issued.access_token[30:]}\n")
    for _ in range(3):  # backend, scope, caller
        page.keyboard.press("Tab")
    page.keyboard.type(caller.client_id)
    page.keyboard.press("Enter")
    page.get_by_text("Active: a view accepts this token.").wait_for()

    assert page.get_by_text("What our introspection endpoint answers").is_visible()
    assert issued.access_token not in page.content()
    assert page.get_by_label("Token:", exact=True).input_value() == ""
    assert issued.access_token not in page.url
    examine("debugger-active")


def debug(page: Any, token: str, caller: str = "") -> None:
    page.goto(f"{LIST}debugger/")
    page.get_by_label("Token:", exact=True).fill(token)
    page.get_by_label("Caller:").fill(caller)
    page.get_by_role("button", name="Debug token").click()


def test_the_debugger_says_why_a_token_is_refused(page: Any, examine: Examine) -> None:
    issued = factories.TokenFactory()
    api = factories.ResourceServerFactory(resources=["urn:invoices"], client_name="Invoices API").client
    debug(page, issued.access_token, api.client_id)
    page.get_by_text("Rejected: not for this caller").wait_for()
    examine("debugger-policy")
    revoke_token(issued.token, by=issued.token.client)
    debug(page, issued.access_token)
    page.get_by_text(f"by the client {issued.token.client.client_id}").wait_for()
    examine("debugger-revoked")
    Token.objects.update(revoked_at=None, expires_at=1)
    debug(page, issued.access_token)
    page.get_by_text("Rejected: expired").wait_for()
    examine("debugger-expired")


def test_a_huge_text_is_answered_and_not_cut_off(page: Any, examine: Examine, problems: list[str]) -> None:
    debug(page, "x" * 4_000_000)

    page.get_by_text("Paste the token alone.").wait_for()
    examine("debugger-huge")
    problems[:] = [each for each in problems if "413" not in each]


def test_an_operator_revokes_a_token_and_then_its_grant(page: Any, examine: Examine) -> None:
    issued = factories.TokenFactory(user=factories.UserFactory(), refresh=True)
    page.goto(f"{LIST}{issued.token.pk}/change/")
    with page.expect_navigation():
        page.get_by_role("link", name="Revoke").click()
    examine("token-revoke")
    page.get_by_role("button", name="Revoke this token").click()
    page.get_by_text("1 token was revoked.").wait_for()
    examine("token-revoked")
    page.get_by_role("link", name="Revoke").click()
    page.get_by_text("This token was revoked: ").wait_for()
    page.get_by_role("button", name="Revoke the whole grant").click()
    page.get_by_text("1 token was revoked.").wait_for()

    assert set(Token.objects.values_list("revoked_by", flat=True)) == {"operator operator"}


def test_an_operator_finds_tokens_by_state_date_and_client(page: Any, examine: Examine) -> None:
    old = factories.TokenFactory(lifetime=timedelta(seconds=1)).token
    Token.objects.filter(pk=old.pk).update(issued_at=1_500_000_000, expires_at=1_500_003_600)
    new = factories.TokenFactory(user=factories.UserFactory()).token
    page.goto(LIST)
    page.get_by_role("link", name="expired", exact=True).click()
    page.wait_for_url("**state=expired**")
    assert (page.get_by_title(str(old.pk)).count(), page.get_by_title(str(new.pk)).count()) == (1, 0)
    page.get_by_role("link", name="2017").first.click()
    page.get_by_role("link", name="July 2017").click()
    page.get_by_role("link", name="July 14", exact=True).click()
    page.wait_for_url("**issued=2017-07-14**")
    page.get_by_title(str(old.pk)).wait_for()
    examine("token-list-filtered")
    page.goto(LIST)
    page.get_by_label("Client ID").fill(new.client.client_id)
    page.get_by_role("button", name="Filter").first.click()
    page.get_by_role("link", name="Clear", exact=True).wait_for()
    assert (page.get_by_title(str(old.pk)).count(), page.get_by_title(str(new.pk)).count()) == (0, 1)
    page.get_by_label("Client ID").fill("nobody")
    page.get_by_role("button", name="Filter").first.click()
    page.get_by_text("There is no client with this ID.").wait_for()
    examine("token-list-unknown-client")


def test_an_operator_revokes_the_tokens_of_a_user(page: Any, examine: Examine) -> None:
    alice = factories.UserFactory(username="alice.with.a.name.that.is.rather.long@departments.example.com")
    for _ in range(3):
        factories.TokenFactory(user=alice, refresh=True, scope="orders:read orders:write invoices:read profile email")
    page.goto(LIST)
    page.get_by_text("6 tokens").wait_for()
    examine("token-list-long-names")
    page.goto(f"/admin/auth/user/{alice.pk}/change/")
    with page.expect_navigation():
        page.locator(".object-tools").get_by_role("link", name="Tokens").click()
    page.get_by_text("6 tokens").wait_for()
    examine("token-list-of-user")
    with page.expect_navigation():
        page.get_by_role("link", name="Revoke all tokens of this user").click()
    examine("token-revoke-user")
    page.get_by_role("button", name="Yes, revoke them").click()
    page.get_by_text("6 tokens were revoked.").wait_for()

    assert not Token.objects.filter(revoked_at=None).exists()


def test_an_empty_list_leads_on(page: Any, examine: Examine) -> None:
    page.goto(LIST)
    page.get_by_text("no client is registered").wait_for()
    examine("token-list-empty")


def test_the_overview_draws_what_it_counts(page: Any, examine: Examine, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "COUNTERS": {}}
    names = ["Shop", "A partner with a name that is long indeed", "Back office"]
    clients = [factories.RegistrationFactory(client_name=name).client for name in names]
    for count, client in enumerate(clients, 1):
        for days in range(12):
            for _ in range((days * count) % 5 + 1):
                token = factories.TokenFactory(client=client, refresh=days == 3).token
                Token.objects.filter(pk=token.pk).update(issued_at=token.issued_at - timedelta(days=days))
    for token in Token.objects.filter(client=clients[0])[:5]:
        revoke_token(token, by=None)
    machine = factories.RegistrationFactory()
    for _ in range(7):
        endpoints.introspect("unknown", auth=machine)
        endpoints.introspect("unknown", auth=endpoints.basic("nobody", "x" * 40))
    page.goto("/admin/introspection/")
    examine("app-index")
    page.get_by_role("link", name="Token overview").click()
    page.get_by_text("As a table: Issued, by client").click()
    examine("overview")

    assert page.get_by_role("link", name="Shop").is_visible()


def test_who_lacks_a_permission_is_told_which(
    page: Any, examine: Examine, log_in: Callable[[Any], Any], problems: list[str]
) -> None:
    log_in(factories.User.objects.create_user("staff", is_staff=True))
    page.goto(f"{LIST}issue/")
    page.get_by_text("introspection.issue_token").wait_for()
    page.screenshot()
    problems[:] = [each for each in problems if "403" not in each]
