"""RFC 6750: a protected view of a whole project, as a client meets it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client as Browser

from django_introspection.authorization_server.revoking import revoke_token
from tests import factories
from tests.resource_server.protected import assert_refused, challenge_of, error_of

pytestmark = pytest.mark.django_db


def get(authorization: str | None = None, *, query: str = "", **request: Any) -> HttpResponse:
    """Ask the protected view, which needs the scope `orders:read`."""
    headers = {} if authorization is None else {"Authorization": authorization}
    return Browser(**request).get(f"/whoami{query}", headers=headers)


def token(**grant: Any) -> str:
    value: str = factories.TokenFactory(**grant).access_token
    return value


@pytest.mark.requirement("6750-2.1-a")
def test_the_header_method_is_supported() -> None:
    assert get(f"Bearer {token()}").status_code == 200


@pytest.mark.requirement("6750-2.1-b")
@pytest.mark.parametrize(
    ("authorization", "status", "error"),
    [
        ("Bearer", 400, "invalid_request"),
        ("Bearer ", 400, "invalid_request"),
        ("Bearer a b", 400, "invalid_request"),
        ("Bearer a,b", 401, "invalid_token"),
        ('Bearer "a"', 401, "invalid_token"),
        ("Bearer a\tb", 401, "invalid_token"),
        ("Bearer =a", 401, "invalid_token"),
        ("Bearer caf\u00e9", 401, "invalid_token"),
    ],
)
def test_the_syntax_is_one_b64token(authorization: str, status: int, error: str) -> None:
    assert_refused(get(authorization), status, error)


@pytest.mark.requirement("6750-2.1-b", "9110-11.1-a")
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer  ", "Bearer    "])
def test_the_scheme_has_no_case_and_any_spaces_after_it(scheme: str) -> None:
    assert get(scheme + token()).status_code == 200


@pytest.mark.requirement("6750-2.3-a")
def test_the_query_method_is_off() -> None:
    assert_refused(get(query=f"?access_token={token()}"), 401, None)


def test_a_token_in_header_and_query_is_a_malformed_request() -> None:
    value = token()

    assert_refused(get(f"Bearer {value}", query=f"?access_token={value}"), 400, "invalid_request")


@pytest.mark.requirement("6750-3-a", "6750-3-b", "6750-3.1-d")
@pytest.mark.parametrize("authorization", [None, "", "Basic YTpi", "Digest realm=x", "DPoP abc", "Token abc"])
def test_without_bearer_credentials_the_challenge_has_a_realm_and_no_error(authorization: str | None) -> None:
    response = get(authorization)

    assert response.status_code == 401
    scheme, parameters = challenge_of(response)
    assert scheme == "Bearer"
    assert parameters.keys() == {"realm", "resource_metadata", "scope"}


@pytest.mark.requirement("6750-3-b", "6750-3-c", "6750-3-d")
@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer bad", "weak"])
def test_every_challenge_has_a_realm_and_each_parameter_once_in_allowed_characters(authorization: str | None) -> None:
    if authorization == "weak":
        authorization = f"Bearer {token(scope='orders:write')}"

    _, parameters = challenge_of(get(authorization))

    assert parameters["realm"]


def _expired() -> str:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=1)):
        return token(lifetime=timedelta(minutes=1))


def _revoked() -> str:
    issued = factories.TokenFactory()
    revoke_token(issued.token, by=None)
    value: str = issued.access_token
    return value


@pytest.mark.requirement("6750-3-e", "6750-3.1-b")
@pytest.mark.parametrize(
    "make", [lambda: "unknown", lambda: "a\\b", _expired, _revoked], ids=["unknown", "malformed", "expired", "revoked"]
)
def test_a_token_that_was_sent_and_failed_is_401_invalid_token(make: Any) -> None:
    assert_refused(get(f"Bearer {make()}"), 401, "invalid_token")


@pytest.mark.requirement("6750-3.1-a")
def test_a_malformed_request_is_400_invalid_request() -> None:
    assert_refused(get("Bearer a b"), 400, "invalid_request")


@pytest.mark.requirement("6750-3.1-c")
def test_too_little_scope_is_403_insufficient_scope_and_names_the_scope() -> None:
    response = get(f"Bearer {token(scope='orders:write')}")

    assert_refused(response, 403, "insufficient_scope")
    assert challenge_of(response)[1]["scope"] == "orders:read"


@pytest.mark.requirement("6750-3.1-e")
def test_every_refusal_has_a_challenge_with_its_error() -> None:
    weak = token(scope="orders:write")
    refusals = [get("Bearer"), get("Bearer bad"), get(f"Bearer {weak}")]

    assert [(each.status_code, error_of(each)) for each in refusals] == [
        (400, "invalid_request"),
        (401, "invalid_token"),
        (403, "insufficient_scope"),
    ]


@pytest.mark.requirement("6750-5.3-b")
@pytest.mark.parametrize("name", ["access_token", "Authorization", "bearer", "token"])
def test_cookies_are_not_read(name: str) -> None:
    browser = Browser()
    browser.cookies[name] = token()

    assert_refused(browser.get("/whoami"), 401, None)
