from __future__ import annotations

import uuid
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


@pytest.fixture(autouse=True)
def _own_cache_keys(settings: Any) -> None:
    """Let no test count on with another's cache keys, in whatever process or thread."""
    prefix = uuid.uuid4().hex
    settings.CACHES = {alias: {**cache, "KEY_PREFIX": prefix} for alias, cache in settings.CACHES.items()}


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
