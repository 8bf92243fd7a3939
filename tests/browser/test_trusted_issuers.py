"""The admin of trusted issuers, as an operator uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from django_introspection.contrib.issuers.models import TrustedIssuer
from tests.settings import AUDIENCE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("operator")]

LIST = "/admin/introspection_issuers/trustedissuer/"
Examine = Callable[[str], None]


def test_an_operator_adds_an_issuer_tries_it_and_stops_trusting_it(page: Any, examine: Examine, settings: Any) -> None:
    options = {"issuers": "django_introspection.contrib.issuers.find", "audience": AUDIENCE}
    entry = {"BACKEND": "django_introspection.backends.RoutingBackend", "OPTIONS": options}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "BACKENDS": {"default": entry}}
    page.goto(f"{LIST}add/")
    examine("issuer-add")

    page.get_by_label("Issuer:").fill("http://127.0.0.1:9/realms/shop")
    page.get_by_label("Description:").fill("The shop of a customer")
    page.get_by_label("Options:").fill('{"client_secret": "hidden-value"}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("a secret is not stored here")).to_be_visible()
    examine("issuer-refused")

    page.get_by_label("Options:").fill('{"require_at_jwt": false, "verify": false}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("any machine on the way")).to_be_visible()
    examine("issuer-list")

    act(page, "Try the selected issuers")
    expect(page.get_by_text("takes no connection")).to_be_visible()
    examine("issuer-tried")
    act(page, "Stop trusting the selected issuers")
    assert not TrustedIssuer.objects.get().is_active


def act(page: Any, action: str) -> None:
    page.locator("tr input.action-select").first.check()
    page.get_by_label("Action:").select_option(label=action)
    with page.expect_navigation():
        page.get_by_role("button", name="Go" if page.get_by_role("button", name="Go").count() else "Run").click()
