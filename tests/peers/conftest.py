"""Independent implementations, started and driven: collected where `make peers` installed them (PEERS=1)."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests import factories, jose
from tests.authorization_server.helpers import bearer
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

collect_ignore_glob = [] if os.environ.get("PEERS") else ["test_*.py"]


@pytest.fixture
def issuer(live_server: Any, settings: Any) -> str:
    """Our own authorization server, on loopback; its issuer is where it listens."""
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "ISSUER": live_server.url}
    url: str = live_server.url
    return url


def environment(issuer: str, *, method: str, alg: str = "ES256", token_format: str = "opaque") -> dict[str, str]:
    """Register the two clients of the story; returns what a peer is told of them.

    With the method `bearer` the caller comes with an access token, since only introspection takes one.
    """
    own_method = "client_secret_basic" if method == "bearer" else method
    named = {"kid": "mine", "alg": alg}
    own: dict[str, Any] = {"token_endpoint_auth_method": own_method}
    if method == "private_key_jwt":
        own["jwks"] = {"keys": [jose.public(alg, **named)]}
    key = json.dumps(jose.private(alg, **named)) if method == "private_key_jwt" else None
    machine = factories.RegistrationFactory(access_token_format=token_format, **own)
    further = {"grant_types": ["client_credentials"], "scope": "introspection"} if method == "bearer" else {}
    caller = factories.ResourceServerFactory(**own, **further)
    return {
        "ISSUER": issuer,
        "CLIENT_ID": machine.client.client_id,
        "CLIENT_METHOD": own_method,
        "CLIENT_CREDENTIAL": key or machine.secret,
        "CALLER_ID": caller.client.client_id,
        "CALLER_METHOD": method,
        "CALLER_CREDENTIAL": bearer(caller).partition(" ")[2] if method == "bearer" else key or caller.secret,
        "SCOPE": "orders:read",
        "AUDIENCE": AUDIENCE,
    }
