from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings

from . import flows


@pytest.fixture
def shop(db: None) -> flows.Application:
    """An application that gets tokens, with its secret."""
    return flows.register(name="Shop")


@pytest.fixture
def api(db: None) -> flows.Application:
    """The orders API: it may ask about every token, as our admin says."""
    return flows.resource_server()


@pytest.fixture
def fresh_sources() -> Any:
    """A process that has seen no secret."""
    from django_introspection.authorization_server.client_sources import _source

    _source.cache_clear()
    yield
    _source.cache_clear()


@pytest.fixture
def kept_look_ups() -> Any:
    """A process that has compiled no look-up, and forgets those of the test."""
    from django_introspection.models.lookups import whole_rows_by

    whole_rows_by.cache_clear()
    yield
    whole_rows_by.cache_clear()


@pytest.fixture
def configured(settings: LazySettings) -> Any:
    """Change settings under TOKEN_INTROSPECTION."""

    def change(**values: Any) -> None:
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, **values}

    return change
