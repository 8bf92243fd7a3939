"""The pages on which people make, replace and revoke their tokens, as a person uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from django_introspection import introspect
from django_introspection.models import Token
from tests import factories
from tests.browser.clicking import click_twice
from tests.browser.content_security_policy import POLICY
from tests.browser.examining import examine
from tests.personal_tokens.conftest import PERSONAL_TOKENS, make

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/account/tokens/"
ADMIN = "/admin/introspection_personal_tokens/personaltoken/"
LONG = "A build server with a long name, and_a_word_that_is_longer_than_any_telephone_is_broad"


@pytest.fixture(autouse=True)
def _configured(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "PERSONAL_TOKENS": PERSONAL_TOKENS}


@pytest.fixture
def ada(log_in: Callable[[Any], Any]) -> Any:
    """A person who is logged in."""
    return log_in(factories.UserFactory(username="ada"))


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_person_makes_a_token_replaces_it_and_revokes_it(page: Any, ada: Any) -> None:
    answer = page.goto(LIST)
    assert answer.headers["content-security-policy"] == POLICY
    examine(page, "personal-tokens-empty")

    page.get_by_role("link", name="New token").click()
    page.get_by_label("Name").fill(LONG)
    page.get_by_label("Description").fill("Builds the shop every night.\nIn the cellar.")
    page.get_by_label("orders:read").check()
    page.get_by_label("Networks").fill("127.0.0.0/8\nnowhere")
    page.get_by_label("Valid for days").fill("3")
    press(page, "Make token")
    page.get_by_text("Enter at most 50 IP addresses or networks").wait_for()
    examine(page, "personal-tokens-error")
    page.get_by_label("Networks").fill("127.0.0.0/8\n2001:db8:1234:5678:9abc:def0:1234:5678")
    press(page, "Make token")
    page.get_by_role("heading", level=1, name="Your new token").wait_for()
    examine(page, "personal-tokens-value")
    value = page.locator(".introspection-value").inner_text()
    assert introspect(value, address="127.0.0.1") is not None

    page.get_by_role("link", name="Your tokens").click()
    expect(page.get_by_role("article", name=LONG)).to_have_count(1)
    assert value not in page.content()
    examine(page, "personal-tokens-list")
    page.get_by_role("link", name="Replace token").click()
    examine(page, "personal-tokens-replace")
    page.get_by_label("The old value ends").select_option("in an hour")
    press(page, "Replace token")
    page.get_by_role("heading", level=1, name="Your new token").wait_for()

    page.goto(LIST)
    expect(page.get_by_role("article", name=LONG)).to_have_count(2)
    examine(page, "personal-tokens-replaced")
    page.get_by_role("link", name="Revoke token").first.click()
    examine(page, "personal-tokens-revoke")
    press(page, "Revoke token")
    page.get_by_text("The token was revoked.").wait_for()
    assert Token.objects.filter(revoked_at=None).count() == 1


@pytest.mark.parametrize("button", ["Make token", "Replace token"])
def test_a_second_click_does_not_lose_the_value(page: Any, ada: Any, button: str) -> None:
    if button == "Replace token":
        page.goto(f"{LIST}{make(ada, name='laptop').row.pk}/rotate/")
    else:
        page.goto(f"{LIST}new/")
        page.get_by_label("Name").fill("laptop")
    click_twice(page, button)

    page.get_by_role("heading", level=1, name="Your new token").wait_for()
    assert Token.objects.filter(revoked_at=None).count() == 1


def test_a_form_without_an_answer_can_be_sent_again_after_a_while(page: Any, ada: Any) -> None:
    sent: list[Any] = []
    page.clock.install()
    page.goto(f"{LIST}new/")
    page.get_by_label("Name").fill("laptop")
    page.route("**/new/", lambda route: sent.append(route.fulfill(status=204)))  # the page stays
    press(page, "Make token")
    press(page, "Make token")
    assert len(sent) == 1

    page.clock.run_for(6_000)
    press(page, "Make token")
    assert len(sent) == 2


def test_the_pages_run_from_right_to_left(page: Any, ada: Any, settings: Any) -> None:
    make(ada, name="محاسبة", networks=["192.0.2.0/24"])
    settings.LANGUAGE_CODE = "ar"
    for address in (LIST, f"{LIST}new/"):
        page.goto(address)
        assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"
        examine(page, f"personal-tokens-rtl{len(address)}")


def test_an_operator_finds_the_tokens_of_a_user(page: Any, operator: Any, examine: Callable[[str], None]) -> None:
    ada = factories.UserFactory(username="ada")
    issued = make(ada, name=LONG, networks=["192.0.2.0/24", "2001:db8:1234:5678:9abc:def0:1234:5678"])
    make(factories.UserFactory(), name="another")
    page.goto(f"{ADMIN}?q=ada")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    examine("personal-tokens-admin")

    page.get_by_role("link", name=LONG).click()
    expect(page.get_by_text("192.0.2.0/24")).to_be_visible()
    examine("personal-token-admin")
    assert issued.value not in page.content()
