"""RFC 7662 from the side that asks: a whole project against a remote authorization server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.core import checks
from django.http import HttpResponse
from django.test import Client as Browser
from django.test import override_settings

from tests import factories
from tests.misbehaving.server import PATH, MisbehavingServer, remote_settings
from tests.resource_server.protected import assert_refused
from tests.settings import AUDIENCE, ISSUER

NOW = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp())
TOKEN = "a-token-of-somebody-else"
GOOD: dict[str, Any] = {"aud": AUDIENCE, "iss": ISSUER, "scope": "orders:read", "exp": NOW + 60, "nbf": NOW - 60}


@pytest.fixture
def server(settings: Any) -> Iterator[MisbehavingServer]:
    """The authorization server; this project is one of its resource servers."""
    with MisbehavingServer("active", **GOOD) as running, time_machine.travel(NOW, tick=False):
        settings.TOKEN_INTROSPECTION = {**running.settings(audience=AUDIENCE, issuer=ISSUER), "LEEWAY": 0}
        yield running


def get(**headers: str) -> HttpResponse:
    return Browser().get("/whoami", headers={"Authorization": f"Bearer {TOKEN}", **headers})


@pytest.mark.requirement("7662-2.1-l", "7662-2.1-m")
def test_it_sends_a_form_with_the_token_in_the_body_and_its_own_credentials(server: MisbehavingServer) -> None:
    assert get(Cookie="session=theirs").status_code == 200

    (request,) = server.requests
    assert (request.method, request.path) == ("POST", PATH)
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.form == {"token": [TOKEN], "token_type_hint": ["access_token"]}
    assert request.headers["Authorization"].startswith("Basic ")
    assert request.headers["Cookie"] is None
    assert TOKEN not in str(request.headers)


@pytest.mark.requirement("7662-2.2-p")
@pytest.mark.parametrize("active", ['"true"', '"false"', "1", "0", "null", "[]", "[true]", "{}", None])
def test_only_a_json_boolean_is_an_answer_and_nothing_else_is_kept(
    active: str | None, server: MisbehavingServer
) -> None:
    members = '"token_type": "Bearer", "scope": "orders:read"'
    content = f"{{{members}}}" if active is None else f'{{"active": {active}, {members}}}'
    server.behave("body", content=content.encode())
    assert get().status_code == 503

    server.behave("active", **GOOD)
    assert get().status_code == 200


@pytest.mark.requirement("7662-2.2-q")
@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({}, 200),
        ({"exp": NOW}, 401),
        ({"nbf": NOW + 1}, 401),
        ({"iss": "https://other.example.com"}, 401),
        ({"aud": "https://api.example.com/other"}, 401),
        ({"aud": None}, 401),
        ({"cnf": {"jkt": "x"}}, 401),
        ({"scope": "orders:write"}, 403),
    ],
)
def test_every_member_is_judged_again_here(members: dict[str, Any], status: int, server: MisbehavingServer) -> None:
    server.behave("active", **(GOOD | members))

    response = get()

    assert response.status_code == status
    if status != 200:
        assert_refused(response, status, "invalid_token" if status == 401 else "insufficient_scope")


@pytest.mark.requirement("7662-2.2-r")
@pytest.mark.parametrize(
    "members",
    [{"token_type": "refresh_token"}, {"token_use": "refresh_token"}, {"token_type": None, "typ": "Refresh"}],
)
def test_a_refresh_token_opens_nothing(members: dict[str, Any], server: MisbehavingServer) -> None:
    server.behave("active", **(GOOD | members))

    assert_refused(get(), 401, "invalid_token")


@pytest.mark.requirement("7662-2.3-d")
@pytest.mark.parametrize("behaviour", ["status 500", "status 401", "JSON cut off", "HTML", "hangs before the answer"])
def test_a_failure_of_the_server_is_503_and_is_not_kept(
    behaviour: str, server: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = server.settings(timeout=0.3)
    server.behave(behaviour)
    response = get()
    settings.TOKEN_INTROSPECTION = server.settings()
    server.behave("active", **GOOD)

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert "WWW-Authenticate" not in response
    assert get().status_code == 200


@pytest.mark.requirement("7662-2.3-d")
def test_a_redirect_is_503_and_is_not_followed(server: MisbehavingServer) -> None:
    with MisbehavingServer("active", **GOOD) as elsewhere:
        server.behave("status", code=302, headers=(f"Location: {elsewhere.url}",))

        assert get().status_code == 503
        assert elsewhere.connections == 0


@pytest.mark.requirement("7662-4-j")
def test_plain_http_is_an_error_and_an_unverified_certificate_a_warning_of_deployment() -> None:
    def ids(url: str, **options: Any) -> list[str]:
        values = {"ISSUER": ISSUER, **remote_settings(url, audience=AUDIENCE, **options)}
        shared = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "unused"}}
        with override_settings(TOKEN_INTROSPECTION=values, CACHES=shared):
            found = checks.run_checks(tags=["introspection"], include_deployment_checks=True)
        return [str(message.id) for message in found if message.id != "introspection.E046"]  # the cache on disk

    assert ids("https://auth.example.com/introspect") == []
    assert ids("http://127.0.0.1:8000/introspect") == []
    assert ids("http://auth.example.com/introspect") == ["introspection.E003"]
    assert ids("http://auth.example.com/introspect", insecure_http=True) == ["introspection.W006"]
    assert ids("https://auth.example.com/introspect", verify=False) == ["introspection.W001"]


@pytest.mark.requirement("6749-7-a")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("make", "status"),
    [
        (dict, 200),
        (lambda: {"audience": ["https://api.example.com/other"]}, 401),
        (lambda: {"not_before": datetime(2099, 1, 1, tzinfo=UTC)}, 401),
        (lambda: {"scope": "orders:write"}, 403),
    ],
    ids=["good", "another resource", "not yet valid", "another scope"],
)
def test_validity_time_and_scope_are_checked_of_local_tokens_too(make: Callable[[], Any], status: int) -> None:
    token = factories.TokenFactory(**make()).access_token

    assert get(Authorization=f"Bearer {token}").status_code == status


@pytest.mark.requirement("9449-7.2-a")
@pytest.mark.django_db
@pytest.mark.parametrize("cnf", [{"jkt": "x"}, {"x5t#S256": "x"}, {"jkt": "x", "unknown": 1}])
@pytest.mark.parametrize("token_type", ["Bearer", "DPoP"])
def test_a_bound_token_is_not_taken_as_bearer(cnf: dict[str, Any], token_type: str, server: MisbehavingServer) -> None:
    server.behave("active", **GOOD, cnf=cnf, token_type=token_type)
    assert_refused(get(), 401, "invalid_token")

    with override_settings(TOKEN_INTROSPECTION={"ISSUER": ISSUER}):
        local = factories.TokenFactory(members={"cnf": cnf}).access_token
        assert_refused(get(Authorization=f"Bearer {local}"), 401, "invalid_token")
