"""RFC 9700, the best practice: what is asked of every kind of token alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests import factories
from tests.backends.issuers import access_token, jwt_settings, public, publish
from tests.misbehaving.server import PATH, MisbehavingServer
from tests.resource_server.protected import TOKEN, ask, assert_refused, protect
from tests.settings import AUDIENCE

OTHER = "https://api.example.com/invoices"
OWN = {"BACKEND": "django_introspection.backends.DatabaseBackend", "OPTIONS": {"audience": AUDIENCE}}


@pytest.fixture(params=["database", "jwt", "introspection"])
def token_for(request: Any, db: None, settings: Any) -> Iterator[Any]:
    """Make tokens for a resource, which this project looks up, verifies or asks about."""
    with MisbehavingServer() as server:
        publish(server, public())

        def make(audience: str) -> str:
            server.behave("active", at=PATH, aud=audience, sub="alice", client_id="app", scope="orders:read")
            tokens = {
                "database": lambda: factories.TokenFactory(audience=[audience]).access_token,
                "jwt": lambda: access_token(server.origin, aud=audience),
                "introspection": lambda: TOKEN,
            }
            return str(tokens[request.param]())

        remote = server.settings(audience=AUDIENCE)["BACKENDS"]["default"]
        backend = {"database": OWN, "jwt": jwt_settings(server.origin), "introspection": remote}[request.param]
        settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": backend}}
        yield make


@pytest.mark.requirement("9700-2.3-b")
def test_a_token_for_another_resource_is_refused_wherever_it_comes_from_and_every_time(token_for: Any) -> None:
    view = protect()

    for _ in range(2):
        assert ask(view, token_for(AUDIENCE)).status_code == 200
        view.ran.clear()
        assert_refused(ask(view, token_for(OTHER)), 401, "invalid_token")
        assert view.ran == []
