"""Every page of ours in the dress of unfold: run by `test_unfold.py` in a process of its own."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as Browser

from django_introspection.models import Client
from tests import factories
from tests.admin.client_pages import ADD, LIST, add_form, page_of, secret_form, secret_in

pytestmark = pytest.mark.filterwarnings("ignore:Overriding get_action_choices")  # unfold does, on Django 6.1
TOKENS = "/admin/introspection/token/"


@pytest.fixture
def browser(db: None) -> Browser:
    browser = Browser()
    browser.force_login(get_user_model().objects.create_superuser("root", password="x"))
    return browser


def test_every_page_is_rendered(browser: Browser, machine: Any) -> None:
    client, issued = machine.client, factories.TokenFactory(client=machine.client)
    pages = ["change", "secret", "activity", "revoke", f"secret/{client.secrets.get().pk}/retire", "history", "delete"]
    urls = [LIST, ADD, *(page_of(client, page) for page in pages), TOKENS, f"{TOKENS}{issued.token.pk}/change/"]

    for url in urls:
        page = browser.get(url)
        assert page.status_code == 200, url
        assert "unfold" in page.content.decode(), url


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
