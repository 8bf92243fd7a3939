"""Every page of ours in the look of another package, whose name is LOOK: run in a process of its own."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client as Browser

from django_introspection.admin.token_list import TokenChangeList
from django_introspection.models import Client, Token
from django_introspection.models.fields import now
from tests import factories
from tests.admin.client_pages import ADD, LIST, add_form, page_of, secret_form, secret_in

pytestmark = pytest.mark.filterwarnings("ignore:Overriding get_action_choices")  # unfold does, on Django 6.1
TOKENS = "/admin/introspection/token/"


@pytest.fixture
def browser(db: None) -> Browser:
    browser = Browser()
    browser.force_login(get_user_model().objects.create_superuser("root", password="x"))
    return browser


@pytest.fixture
def urls(machine: Any) -> list[str]:
    """Each page that a link or button of ours leads to."""
    client, issued = machine.client, factories.TokenFactory(client=machine.client)
    pages = ["change", "secret", "activity", "revoke", f"secret/{client.secrets.get().pk}/retire", "history", "delete"]
    urls = [LIST, ADD, *(page_of(client, page) for page in pages), "/admin/introspection/"]
    urls += [TOKENS, *(f"{TOKENS}{page}/" for page in ("issue", "debugger", "overview"))]
    return urls + [f"{TOKENS}{issued.token.pk}/{page}/" for page in ("change", "revoke", "history", "delete")]


def test_every_page_is_rendered_with_its_title(browser: Browser, urls: list[str]) -> None:
    for url in urls:
        page = browser.get(url)
        assert page.status_code == 200, url
        html = page.content.decode()
        assert settings.LOOK in html, url
        is_ours_alone = 'id="content-main" class="introspection-page"' in html
        if is_ours_alone and settings.LOOK != "unfold":  # which draws no heading, and has the title in the tab
            assert html.partition("<body")[2].count(str(page.context["title"])) > 1, f"{url}: breadcrumbs and heading"


def test_the_form_for_a_new_client_has_every_field(browser: Browser) -> None:
    page = browser.get(ADD).content.decode()

    assert [name for name in add_form("both") if f'name="{name}"' not in page] == []


def test_a_client_is_registered_and_gets_a_second_secret(browser: Browser) -> None:
    first = browser.post(ADD, add_form("both"))
    client = Client.objects.get()
    second = browser.post(page_of(client, "secret"), secret_form())

    assert secret_in(first) != secret_in(second)
    page = browser.get(page_of(client)).content.decode()
    assert secret_in(first)[-4:] in page
    assert page_of(client, "secret") in page


def test_tokens_are_filtered_issued_debugged_and_revoked(browser: Browser, machine: Any) -> None:
    form_id = browser.get(f"{TOKENS}issue/").context["form"]["form_id"].value()
    page = browser.post(f"{TOKENS}issue/", {"client": machine.client.pk, "form_id": form_id}).content.decode()
    (value,) = re.findall(r"dit_at_[0-9A-Za-z]+", page)
    token = Token.objects.get()
    chosen = {"action": "revoke_tokens", "_selected_action": [str(token.pk)]}

    listed = browser.get(TOKENS, {"state": "active", "client": machine.client.client_id, "issued": f"{now():%Y-%m-%d}"})
    assert list(listed.context["cl"].result_list) == [token]
    assert isinstance(listed.context["cl"], TokenChangeList)
    said = browser.post(f"{TOKENS}debugger/", {"token": value, "backend": "default"}).content.decode()
    assert "Rejected: wrong audience" in said
    assert value not in said
    assert "1 token will be revoked." in browser.post(TOKENS, chosen).content.decode()
    assert browser.post(TOKENS, {**chosen, "confirmed": ""}).status_code == 302
    assert Token.objects.get().revoked_by == "operator root"
