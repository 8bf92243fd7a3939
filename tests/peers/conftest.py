"""Independent implementations, started and driven: collected where `make peers` installed them (PEERS=1)."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests import factories
from tests.settings import TOKEN_INTROSPECTION

collect_ignore_glob = [] if os.environ.get("PEERS") else ["test_*.py"]


@pytest.fixture
def issuer(live_server: Any, settings: Any) -> str:
    """Our own authorization server, on loopback; its issuer is where it listens."""
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "ISSUER": live_server.url}
    url: str = live_server.url
    return url


def environment(issuer: str, *, auth_method: str) -> dict[str, str]:
    """Register the two clients of the story; returns what a peer is told of them."""
    machine = factories.RegistrationFactory(token_endpoint_auth_method=auth_method)
    caller = factories.ResourceServerFactory(token_endpoint_auth_method=auth_method)
    return {
        "ISSUER": issuer,
        "CLIENT_ID": machine.client.client_id,
        "CLIENT_SECRET": machine.secret,
        "CALLER_ID": caller.client.client_id,
        "CALLER_SECRET": caller.secret,
        "SCOPE": "orders:read",
    }
