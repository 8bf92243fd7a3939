"""One project, several sources: our tokens, theirs, and those of a server elsewhere, behind one backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client as Browser

from tests import factories, jose
from tests.misbehaving.server import MisbehavingServer
from tests.settings import AUDIENCE

from . import flows

ELSEWHERE = "https://elsewhere.example"
BACKENDS = {
    "default": {
        "BACKEND": "django_introspection.backends.RoutingBackend",
        "OPTIONS": {"issuers": {ELSEWHERE: "elsewhere"}, "default": ["own", "theirs", "opaque elsewhere"]},
    },
    "own": {"BACKEND": "django_introspection.backends.DatabaseBackend", "OPTIONS": {"audience": AUDIENCE}},
    "theirs": {
        "BACKEND": "django_introspection.contrib.oauth_toolkit.OAuthToolkitBackend",
        "OPTIONS": {"audience": AUDIENCE},
    },
}


@pytest.fixture
def servers(configured: Any) -> Iterator[tuple[MisbehavingServer, MisbehavingServer]]:
    """Two servers elsewhere: one is asked about the JWTs of its issuer, one about what nobody here knows."""
    with MisbehavingServer("active", aud=AUDIENCE) as issuer, MisbehavingServer("inactive") as last:
        remote = {
            "elsewhere": issuer.settings(issuer=ELSEWHERE, audience=AUDIENCE)["BACKENDS"]["default"],
            "opaque elsewhere": last.settings(audience=AUDIENCE)["BACKENDS"]["default"],
        }
        configured(BACKENDS={**BACKENDS, **remote})
        yield issuer, last


def status(token: str) -> int:
    return Browser().get("/whoami", headers={"Authorization": f"Bearer {token}"}).status_code


def test_each_token_finds_its_source_and_no_server_hears_of_another_s(
    servers: tuple[MisbehavingServer, MisbehavingServer], shop: flows.Application
) -> None:
    issuer, last = servers
    ours = factories.TokenFactory().access_token
    theirs = flows.client_credentials(shop, resource=AUDIENCE)
    foreign = jose.sign({"alg": "ES256"}, {"iss": ELSEWHERE})

    assert [status(token) for token in (ours, theirs, foreign)] == [200, 200, 200]
    assert [request.form["token"] for request in issuer.requests] == [[foreign]]
    assert last.requests == []

    assert status("nobody-knows-it") == 401
    assert status(jose.sign({"alg": "ES256"}, {"iss": "https://unknown.example"})) == 401
    assert len(issuer.requests) == 1
    assert [request.form["token"] for request in last.requests] == [["nobody-knows-it"]]


def test_a_token_that_a_source_here_refuses_goes_nowhere_else(
    servers: tuple[MisbehavingServer, MisbehavingServer], user: Any
) -> None:
    _, last = servers
    last.behave("active", aud=AUDIENCE)
    ours = factories.TokenFactory(user=user).access_token
    theirs = flows.authorization_code(flows.code_application(), user, resource=AUDIENCE)["access_token"]
    assert [status(token) for token in (ours, theirs)] == [200, 200]

    user.is_active = False
    user.save()

    assert [status(token) for token in (ours, theirs)] == [401, 401]
    assert last.requests == []
