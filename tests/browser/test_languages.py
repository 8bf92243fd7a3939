"""The pages in other languages: long words, other scripts, and a layout from right to left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Token
from tests import endpoints, factories
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("operator")]

Examine = Callable[[str], None]
CLIENTS = "/admin/introspection/client/"
TOKENS = "/admin/introspection/token/"
DIRECTION = """selector => [...document.querySelectorAll(selector)].filter(each => each.textContent || each.value)
    .map(each => getComputedStyle(each).direction)"""
IDENTIFIERS = "main :is(code, pre), #id_scope, #id_resources, #id_jwks, #id_allowed_resources"


@pytest.fixture
def pages(settings: Any, operator: Any) -> dict[str, str]:
    """Return the addresses of pages with something to show, by name."""
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "COUNTERS": {}}
    api = factories.ResourceServerFactory(client_name="Orders API").client
    machine = factories.RegistrationFactory(client_name="Nightly export")
    user = factories.UserFactory(username="alice")
    for days in range(5):
        issued = factories.TokenFactory(client=machine.client, user=user, refresh=days == 0, audience=[AUDIENCE])
        Token.objects.filter(pk=issued.token.pk).update(issued_at=issued.token.issued_at - timedelta(days=days))
    factories.TokenFactory(client=machine.client, user=operator, refresh=True)
    revoked = factories.TokenFactory(client=machine.client).token
    revoke_token(revoked, by=machine.client)
    endpoints.introspect("unknown", auth=machine)
    return {
        "app": "/admin/introspection/",
        "clients": CLIENTS,
        "client-add": f"{CLIENTS}add/",
        "client": f"{CLIENTS}{api.pk}/change/",
        "client-secret": f"{CLIENTS}{api.pk}/secret/",
        "client-activity": f"{CLIENTS}{api.pk}/activity/",
        "tokens": TOKENS,
        "token": f"{TOKENS}{issued.token.pk}/change/",
        "token-revoke": f"{TOKENS}{revoked.pk}/revoke/",
        "token-issue": f"{TOKENS}issue/",
        "debugger": f"{TOKENS}debugger/?caller={api.client_id}",
        "overview": f"{TOKENS}overview/",
        "account": "/account/apps/",
    }


@pytest.mark.parametrize("language", ["de", "fr", "ja", "zh-hans"])
def test_every_page_fits_in_other_languages(
    page: Any, examine: Examine, pages: dict[str, str], settings: Any, language: str
) -> None:
    settings.LANGUAGE_CODE = language
    for name, path in pages.items():
        page.goto(path)
        assert page.locator("html").get_attribute("lang") == language
        examine(f"{language}-{name}")
    debug(page)
    examine(f"{language}-debugged")


@pytest.mark.parametrize("language", ["ar", "he"])
def test_identifiers_and_code_stay_left_to_right(
    page: Any, examine: Examine, pages: dict[str, str], settings: Any, language: str
) -> None:
    settings.LANGUAGE_CODE = language
    seen: set[str] = set()
    for name, path in pages.items():
        page.goto(path)
        assert page.locator("html").get_attribute("dir") == "rtl"
        seen.update(page.evaluate(DIRECTION, IDENTIFIERS))
        examine(f"{language}-{name}")
    debug(page)
    seen.update(page.evaluate(DIRECTION, IDENTIFIERS))
    examine(f"{language}-debugged")
    page.goto(pages["client-secret"])
    page.locator("main input[type=submit]").click()
    page.locator("#client-secret").wait_for()
    seen.update(page.evaluate(DIRECTION, IDENTIFIERS))
    examine(f"{language}-new-secret")

    assert seen == {"ltr"}


def debug(page: Any) -> None:
    """Show both verdicts on a token that the resource server accepts and one that is unknown to the endpoint."""
    page.goto(f"{TOKENS}debugger/")
    machine = factories.RegistrationFactory(client_name="Shop")
    token = factories.TokenFactory(client=machine.client, user=factories.UserFactory()).access_token
    page.locator("#id_token").fill(token)
    page.locator("#id_caller").fill(machine.client.client_id)
    page.locator("main input[type=submit]").click()
    page.locator(".introspection-verdict").first.wait_for()
