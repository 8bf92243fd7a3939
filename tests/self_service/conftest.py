from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client as Browser

from django_introspection.models import Client, GrantType
from tests import factories


@pytest.fixture
def browser(user: Any) -> Browser:
    """A browser in which the user is logged in."""
    browser = Browser()
    browser.force_login(user)
    return browser


@pytest.fixture
def app(db: None) -> Any:
    """`(client, secret)`: an app that may refresh its tokens."""
    return factories.RegistrationFactory(client_name="Calendar", grant_types=[GrantType.REFRESH_TOKEN])


@pytest.fixture
def invoices(db: None) -> Client:
    client: Client = factories.RegistrationFactory(client_name="Invoices").client
    return client


def text_of(response: Any) -> str:
    """Return the text of a page without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())
