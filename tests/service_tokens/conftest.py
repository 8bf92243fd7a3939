"""A token endpoint on loopback, and a project that gets its tokens for another API there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.misbehaving.server import CLIENT_ID, CLIENT_SECRET, MisbehavingServer
from tests.outbound import renewals

TOKEN_PATH = "/token"
ALIAS = "billing"


def options(server: MisbehavingServer, **further: Any) -> dict[str, Any]:
    """Return the entry of a service; None takes an option away."""
    own = {"token_url": server.origin + TOKEN_PATH, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return {name: value for name, value in (own | further).items() if value is not None}


def configure(settings: Any, server: MisbehavingServer, **further: Any) -> None:
    """Let the project have one service."""
    settings.TOKEN_INTROSPECTION = {"SERVICES": {ALIAS: options(server, **further)}}


@pytest.fixture
def token_server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        yield server
        server.released.set()
        renewals.finish()


@pytest.fixture
def issued(token_server: MisbehavingServer, settings: Any) -> list[str]:
    """What the token endpoint issued."""
    values: list[str] = []
    token_server.behave("issues tokens", at=TOKEN_PATH, issued=values)
    configure(settings, token_server)
    return values
