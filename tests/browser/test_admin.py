from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from django_introspection.models import Client
from tests import endpoints, factories
from tests.browser.content_security_policy import POLICY
from tests.settings import AUDIENCE

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


def test_an_operator_registers_a_client_and_gives_it_a_second_secret(page: Any, examine: Callable[[str], None]) -> None:
    page.goto("/admin/introspection/client/add/")
    page.get_by_label("Name:").fill("Orders API")
    page.get_by_label("Resources served:").fill(AUDIENCE)
    examine("client-add")
    page.get_by_role("button", name="Save", exact=True).click()
    first = page.locator("#client-secret").inner_text()
    examine("client-secret")

    client = Client.objects.get(client_name="Orders API")
    page.goto(f"/admin/introspection/client/{client.pk}/change/")
    assert first not in page.content()
    page.get_by_role("button", name="Add a secret").click()
    second = page.locator("#client-secret").inner_text()

    assert first != second
    for secret in (first, second):
        assert endpoints.introspect("unknown", auth=(client, secret)).status_code == 200


def test_an_operator_revokes_a_token(page: Any, examine: Callable[[str], None]) -> None:
    issued = factories.TokenFactory(user=factories.UserFactory(), refresh=True)
    page.goto("/admin/introspection/token/")
    examine("token-list")
    page.locator(f"input[name=_selected_action][value='{issued.token.pk}']").check()
    page.get_by_label("Action:").select_option("Revoke the selected tokens")
    page.get_by_role("button", name="Go").click()
    examine("token-revoke-selected")
    page.get_by_role("button", name="Revoke them").click()
    page.locator(".messagelist .success").wait_for()
    page.goto(f"/admin/introspection/token/{issued.token.pk}/change/")
    examine("token")

    issued.token.refresh_from_db()
    assert issued.token.revoked_at is not None
    assert issued.access_token not in page.content()
