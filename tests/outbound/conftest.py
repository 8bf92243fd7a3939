from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.misbehaving.server import MisbehavingServer


@pytest.fixture
def authorization_server(settings: Any) -> Iterator[MisbehavingServer]:
    """A remote authorization server, and this project its resource server."""
    with MisbehavingServer() as server:
        settings.TOKEN_INTROSPECTION = server.settings()
        yield server
