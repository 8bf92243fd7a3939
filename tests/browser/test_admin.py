from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests import factories
from tests.browser.content_security_policy import POLICY

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("operator")]


def test_the_pages_are_served_under_a_strict_policy(page: Any) -> None:
    assert page.goto("/admin/introspection/client/").headers["content-security-policy"] == POLICY


def test_the_browser_complains_about_what_the_policy_forbids(page: Any, problems: list[str]) -> None:
    page.goto("/admin/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">inline</p>')")

    assert "Content Security Policy" in problems.pop()


def test_axe_finds_what_is_wrong(page: Any, examine: Callable[[str], None]) -> None:
    page.goto("/admin/")
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")

    with pytest.raises(AssertionError, match="button-name"):
        examine("broken")


def test_an_operator_revokes_a_token(page: Any, examine: Callable[[str], None]) -> None:
    issued = factories.TokenFactory(user=factories.UserFactory(), refresh=True)
    page.goto("/admin/introspection/token/")
    examine("token-list")
    page.locator(f"input[name=_selected_action][value='{issued.token.pk}']").check()
    page.get_by_label("Action:").select_option("Revoke selected tokens")
    with page.expect_navigation():
        page.locator(".actions button[name=index]").click()
    examine("token-revoke-selected")
    page.get_by_role("button", name="Yes, revoke them").click()
    page.locator(".messagelist .success").wait_for()
    page.goto(f"/admin/introspection/token/{issued.token.pk}/change/")
    examine("token")

    issued.token.refresh_from_db()
    assert issued.token.revoked_at is not None
    assert issued.access_token not in page.content()
