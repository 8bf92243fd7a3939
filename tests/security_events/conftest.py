from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from django_introspection.security_events.restoring import restore_cut_offs
from django_introspection.signals import security_event_received
from tests.backends.issuers import jwt_settings
from tests.misbehaving.server import MisbehavingServer
from tests.security_events.transmitter import Transmitter


@pytest.fixture
def transmitter(settings: Any, db: None) -> Iterator[Transmitter]:
    """An issuer whose JWTs this project verifies, and whose events it may receive."""
    with MisbehavingServer() as server:
        settings.TOKEN_INTROSPECTION = {
            "BACKENDS": {"default": jwt_settings(server.origin, cut_offs=True)},
            "REVOCATIONS": {"TOMBSTONES": False},
            "JWKS_HOSTS": ["127.0.0.1"],
        }
        restore_cut_offs()
        yield Transmitter(server)


@pytest.fixture
def received() -> Iterator[list[dict[str, Any]]]:
    """What the signal said, one entry for each event."""
    seen: list[dict[str, Any]] = []

    def receive(**said: Any) -> None:
        seen.append(said)

    security_event_received.connect(receive)
    yield seen
    security_event_received.disconnect(receive)
