"""The pages on which people revoke access, as a person uses them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from django_introspection.models import GrantType, Token
from django_introspection.self_service import grants
from tests import factories
from tests.browser.clicking import click_twice
from tests.browser.content_security_policy import POLICY
from tests.browser.examining import examine
from tests.self_service.test_grants import exchanged, orders_api, refreshed
from tests.settings import AUDIENCE

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/account/apps/"
LONG = "A calendar with a name that is long indeed, and_a_word_that_is_longer_than_any_telephone_is_broad"


@pytest.fixture
def ada(log_in: Callable[[Any], Any]) -> Any:
    """A person who is logged in."""
    return log_in(factories.UserFactory(username="ada"))


@pytest.fixture
def apps(ada: Any, settings: Any) -> list[Any]:
    """Three apps: one with two grants, one of which was refreshed and passed on, and two with one grant."""
    settings.TOKEN_INTROSPECTION = {
        **settings.TOKEN_INTROSPECTION,
        "RESOURCES": {AUDIENCE: {"SCOPES": ["orders:read", "orders:write", "profile"], "NAME": "Your orders"}},
    }
    made = [
        factories.RegistrationFactory(
            client_name=name, grant_types=[GrantType.REFRESH_TOKEN], scope="orders:read orders:write profile"
        )
        for name in ("Calendar", LONG, "محاسبة")
    ]
    first = factories.TokenFactory(
        client=made[0].client, user=ada, refresh=True, scope="orders:read orders:write profile"
    )
    exchanged(first.access_token, orders_api())
    refreshed(made[0], first.refresh_token)
    factories.TokenFactory(client=made[0].client, user=ada, lifetime=timedelta(days=90))
    factories.TokenFactory(client=made[1].client, user=ada, refresh=True, audience=["urn:" + "x" * 120])
    factories.TokenFactory(client=made[2].client, user=ada, scope="", audience=[])
    return made


def card(page: Any, name: str) -> Any:
    return page.get_by_role("region", name=name, exact=True)


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_person_sees_the_apps_and_revokes_one_access_then_an_app_then_all(page: Any, apps: list[Any]) -> None:
    answer = page.goto(LIST)
    assert answer.headers["content-security-policy"] == POLICY
    examine(page, "self-service-list")

    card(page, "Calendar").get_by_role("link", name="Revoke access").first.click()
    page.get_by_role("heading", level=1, name="Revoke access").wait_for()
    examine(page, "self-service-revoke-grant")
    page.get_by_role("link", name="Cancel").click()
    assert page.url.endswith(LIST)
    card(page, "Calendar").get_by_role("link", name="Revoke access").first.click()
    press(page, "Revoke access")
    page.get_by_text("The access was revoked.").wait_for()
    examine(page, "self-service-revoked")
    expect(card(page, "Calendar").get_by_role("link", name="Revoke access")).to_have_count(1)

    factories.TokenFactory(client=apps[1].client, user=Token.objects.filter(user__isnull=False)[0].user)
    page.reload()
    card(page, LONG).get_by_role("link", name="Revoke all access of this app").click()
    examine(page, "self-service-revoke-app")
    press(page, "Revoke all access of this app")
    page.get_by_text("has no access to your account any more.").wait_for()
    expect(card(page, LONG)).to_have_count(0)

    page.get_by_role("link", name="Revoke the access of all apps").click()
    examine(page, "self-service-revoke-all")
    press(page, "Revoke the access of all apps")
    page.get_by_text("No app has access to your account any more.").wait_for()
    examine(page, "self-service-empty")

    assert not Token.objects.filter(revoked_at=None).exists()
    assert set(Token.objects.exclude(revoked_by="").values_list("revoked_by", flat=True)) == {"user ada"}


def test_the_pages_are_used_by_the_keyboard_alone(page: Any, apps: list[Any]) -> None:
    page.goto(LIST)
    for _ in range(2):  # all apps, then the first grant
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="Revoke access").wait_for()
    while page.evaluate("document.activeElement.tagName") != "BUTTON":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("The access was revoked.").wait_for()


def test_a_second_click_revokes_once(page: Any, apps: list[Any]) -> None:
    page.goto(f"{LIST}revoke/")
    click_twice(page, "Revoke the access of all apps")
    page.get_by_text("No app has access to your account.").wait_for()

    assert not Token.objects.filter(revoked_at=None).exists()


def test_the_pages_run_from_right_to_left(page: Any, apps: list[Any], settings: Any) -> None:
    settings.LANGUAGE_CODE = "ar"
    page.goto(LIST)

    assert page.evaluate("[document.documentElement.lang, getComputedStyle(document.body).direction]") == ["ar", "rtl"]
    left, right = (
        page.locator(".introspection-values").first.locator(part).first.bounding_box() for part in ("dt", "dd")
    )
    assert left["x"] > right["x"]
    examine(page, "self-service-list-rtl")
    page.goto(f"{LIST}revoke/")
    examine(page, "self-service-revoke-all-rtl")


def test_a_long_list_has_pages(page: Any, apps: list[Any], monkeypatch: Any) -> None:
    monkeypatch.setattr(grants, "PAGE_SIZE", 2)
    page.goto(LIST)
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Next page").click()
    page.get_by_text("Page 2 of 2").wait_for()
    examine(page, "self-service-second-page")


def test_a_project_puts_the_pages_into_its_own(page: Any, apps: list[Any], settings: Any, tmp_path: Path) -> None:
    (tmp_path / "introspection/self_service").mkdir(parents=True)
    (tmp_path / "introspection/self_service/base.html").write_text('{% extends "site.html" %}')
    (tmp_path / "introspection/self_service/scope.html").write_text(
        '{% if scope == "orders:read" %}See your orders{% else %}{{ scope }}{% endif %}'
    )
    (tmp_path / "site.html").write_text(
        '<!doctype html><html lang="en"><title>{% block title %}{% endblock %}</title>'
        "<header>The shop</header><main>{% block content %}{% endblock %}</main>"
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    page.goto(LIST)

    expect(page).to_have_title("Apps with access to your account")
    assert page.get_by_text("The shop").is_visible()
    assert page.get_by_text("See your orders").first.is_visible()
