from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser

from django_introspection.models import Token
from tests import factories

APP = "/operations/introspection/"
LIST = f"{APP}token/"


@pytest.fixture(autouse=True)
def _two_sites(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.admin.two_sites"


PAGES = ["", "?q=x", "issue/", "debugger/", "overview/", "{pk}/change/", "{pk}/revoke/"]


@pytest.mark.parametrize("page", ["", *(f"token/{page}" for page in PAGES)])
def test_every_page_of_another_admin_site_leads_to_that_site_alone(browser: Browser, page: str) -> None:
    token = factories.TokenFactory(refresh=True).token
    answer = browser.get(APP + page.format(pk=token.pk))

    assert answer.status_code == 200
    assert "/operations/" in answer.content.decode()
    assert '="/admin/' not in answer.content.decode()


def test_each_story_ends_on_that_site(browser: Browser) -> None:
    token = factories.TokenFactory().token
    form_id = browser.get(f"{LIST}issue/").context["form"]["form_id"].value()
    new = browser.post(f"{LIST}issue/", {"client": token.client.pk, "form_id": form_id})
    chosen = {"action": "revoke_tokens", "_selected_action": [str(token.pk)]}
    answers = [
        new,
        browser.post(f"{LIST}debugger/", {"token": "unknown", "backend": "default"}),
        browser.post(LIST, chosen),
        browser.post(LIST, {**chosen, "confirmed": ""}, follow=True),
        browser.post(f"{LIST}{token.pk}/revoke/", {"token": ""}, follow=True),
    ]

    assert [answer.status_code for answer in answers] == [200] * 5
    assert not [answer for answer in answers if '="/admin/' in answer.content.decode()]
    assert Token.objects.filter(revoked_at=None).count() == 1
