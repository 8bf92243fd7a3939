"""Fixtures of django_introspection.testing for pytest.

A module beside the package, as pytest imports it in every run of everyone who has the package installed: the package
imports Django, and this imports nothing of it before a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django_introspection.testing import FakeAuthorizationServer


@pytest.fixture
def introspection_tokens() -> Iterator[None]:
    """Let the tokens of django_introspection.testing be good in this test: no authorization server is asked.

    client.get("/orders/", headers=testing.bearer(scope="orders:read"))
    """
    from django_introspection.testing import fake_tokens

    with fake_tokens():
        yield


@pytest.fixture
def authorization_server() -> Iterator[FakeAuthorizationServer]:
    """Run an authorization server on a loopback port, whose tokens and outages the test decides on.

    settings.TOKEN_INTROSPECTION = authorization_server.settings()
    token = authorization_server.issue(scope="orders:read")
    """
    from django_introspection.testing import FakeAuthorizationServer

    with FakeAuthorizationServer() as server:
        yield server
