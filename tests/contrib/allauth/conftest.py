from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings

from django_introspection.authorization_server.client_sources import _source

from . import flows


@pytest.fixture(autouse=True)
def _fresh_sources() -> None:
    """Begin as a process that has seen no secret."""
    _source.cache_clear()


@pytest.fixture
def shop(db: None) -> flows.Registered:
    return flows.register()


@pytest.fixture
def api(db: None) -> flows.Registered:
    """The orders API: it may ask about every token, as our admin says."""
    return flows.resource_server()


@pytest.fixture
def configured(settings: LazySettings) -> Any:
    """Change settings under TOKEN_INTROSPECTION."""

    def change(**values: Any) -> None:
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, **values}

    return change
