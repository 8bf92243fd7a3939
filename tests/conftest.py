from __future__ import annotations

from typing import Any

import pytest

from django_introspection import token_backends
from tests import factories

pytest_plugins = ["tests.conformance.plugin"]


@pytest.fixture(autouse=True)
def _fresh_backends() -> Any:
    """Let no test see another's backends."""
    token_backends.close()
    yield
    token_backends.close()


@pytest.fixture
def machine(db: None) -> Any:
    """A machine client and its secret."""
    return factories.RegistrationFactory()


@pytest.fixture
def resource_server(db: None) -> Any:
    """The orders API's own client and its secret."""
    return factories.ResourceServerFactory()


@pytest.fixture
def user(db: None) -> Any:
    return factories.UserFactory()
