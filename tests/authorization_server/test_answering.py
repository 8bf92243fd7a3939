"""The endpoint in front of another server: INTROSPECTION_BACKEND is asked with all that belongs to its answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from django_introspection.testing import FakeAuthorizationServer
from tests import endpoints, factories
from tests.misbehaving.server import MisbehavingServer
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

BACKENDS = "django_introspection.backends"


@pytest.fixture(scope="module")
def issuer() -> Iterator[FakeAuthorizationServer]:
    with FakeAuthorizationServer(audience=AUDIENCE) as server:
        yield server


@pytest.fixture(params=["JWT", "JWT and then remote", "routing", "remote"])
def kind(request: Any, issuer: FakeAuthorizationServer, settings: Any) -> str:
    """Let the endpoint ask one kind of backend; returns the kind."""
    remote = issuer.settings()["BACKENDS"]["default"]
    options = {"issuer": issuer.issuer, "audience": AUDIENCE, "insecure_http": True}
    keys = {"BACKEND": f"{BACKENDS}.JWTBackend", "OPTIONS": options}
    asking = {"BACKEND": f"{BACKENDS}.JWTBackend", "OPTIONS": {**options, "then_ask": "remote"}}
    routing = {
        "BACKEND": f"{BACKENDS}.RoutingBackend",
        "OPTIONS": {"issuers": {issuer.issuer: "asking"}, "default": ["remote"]},
    }
    chosen = {"JWT": keys, "JWT and then remote": asking, "routing": routing, "remote": remote}[request.param]
    aliases = {"default": chosen, "remote": remote, "asking": asking}
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "BACKENDS": aliases, "INTROSPECTION_BACKEND": "default"}
    return str(request.param)


def is_active(token: str, caller: Any) -> bool:
    response = endpoints.introspect(token, auth=caller)
    assert response.status_code == 200
    return bool(response.json()["active"])


@pytest.mark.requirement("7662-4-a")
@pytest.mark.requirement("7662-4-b")
def test_a_token_of_the_other_server_is_active_as_long_as_it_is_valid(
    kind: str, issuer: FakeAuthorizationServer, resource_server: Any
) -> None:
    now = int(time.time())
    jwt = kind != "remote"

    assert is_active(issuer.issue(jwt=jwt), resource_server)
    assert is_active(issuer.issue(jwt=jwt, nbf=now + 10), resource_server), "the clocks may differ"
    assert not is_active(issuer.issue(jwt=jwt, exp=now - 60), resource_server)
    assert not is_active(issuer.issue(jwt=jwt, nbf=now + 600), resource_server)
    assert not is_active(issuer.issue(jwt=jwt, iss="https://other.example.com"), resource_server)


@pytest.mark.requirement("7662-4-c")
def test_a_token_that_the_other_server_has_revoked_is_inactive_if_that_server_is_asked(
    kind: str, issuer: FakeAuthorizationServer, resource_server: Any
) -> None:
    token = issuer.issue(jwt=kind != "remote")
    issuer.revoke(token)

    assert is_active(token, resource_server) is (kind == "JWT")


@pytest.mark.requirement("7662-2.2-e")
@pytest.mark.parametrize("name", ["scope", "scp"])
@pytest.mark.parametrize("value", [["orders:read", "other"], "orders:read other"])
@pytest.mark.parametrize(
    ("served", "expected"), [("", "orders:read other"), ("orders:read", "orders:read"), ("x", None)]
)
def test_scopes_of_another_server_are_sent_as_one_filtered_string(
    settings: Any, db: None, name: str, value: Any, served: str, expected: str | None
) -> None:
    caller = factories.RegistrationFactory(resources=[AUDIENCE], resource_scopes=served)
    with MisbehavingServer("active", **{"aud": AUDIENCE, "scope": None, name: value}) as server:
        settings.TOKEN_INTROSPECTION = {
            **TOKEN_INTROSPECTION,
            **server.settings(audience=AUDIENCE),
            "INTROSPECTION_BACKEND": "default",
        }
        response = endpoints.introspect("a-token", auth=caller)

    assert response.status_code == 200
    assert response.json()["active"] is True
    assert response.json().get("scope") == expected
    assert "scp" not in response.json()
