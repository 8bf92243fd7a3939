"""The token is found by the statement that authenticates its caller, and means what it would mean without that."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test.utils import CaptureQueriesContext

from django_introspection.authorization_server.client_sources import (
    CLIENT_INACTIVE,
    UNKNOWN_CLIENT,
    ClientResult,
    ClientSource,
)
from django_introspection.authorization_server.clients import DatabaseClients
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Client, Token
from django_introspection.protocol import opaque
from django_introspection.protocol.credentials import SecretCredentials
from tests import endpoints, factories
from tests.authorization_server.helpers import assert_inactive, assert_refused, introspecting_client

pytestmark = pytest.mark.django_db

OWN = "django_introspection.authorization_server.clients.DatabaseClients"


class Strict(DatabaseClients):
    """A source of a project that refuses some clients of the tables."""

    def by_secret(self, request: HttpRequest, credentials: SecretCredentials) -> ClientResult:
        result = super().by_secret(request, credentials)
        return CLIENT_INACTIVE if isinstance(result, Client) and result.client_name == "Refused" else result


class Guests(ClientSource):
    """One client that is in no table."""

    def by_secret(self, request: HttpRequest, credentials: SecretCredentials) -> ClientResult:
        if credentials.client_id == "guest":
            return Client(client_id="guest", introspection_policy="any")
        return UNKNOWN_CLIENT

    def by_id(self, client_id: str) -> ClientResult:
        return UNKNOWN_CLIENT


@pytest.fixture
def caller() -> Any:
    registered = introspecting_client()
    endpoints.introspect("x", auth=registered)  # notes the use of the secret, once a minute
    return registered


@pytest.fixture
def token() -> str:
    return str(factories.TokenFactory(user=factories.UserFactory()).access_token)


@pytest.fixture
def sources(settings: Any) -> Any:
    def use(*paths: str) -> None:
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "CLIENT_SOURCES": paths}

    return use


def is_active(token: str, auth: Any) -> bool:
    response = endpoints.introspect(token, auth=auth)
    assert response.status_code == 200
    return bool(response.json()["active"])


@pytest.mark.parametrize("paths", [(OWN, f"{__name__}.Guests"), (f"{__name__}.Guests", OWN), (f"{__name__}.Strict",)])
def test_one_statement_answers_whichever_source_knows_the_caller(
    caller: Any, token: str, sources: Any, django_assert_num_queries: Any, paths: tuple[str, ...]
) -> None:
    sources(*paths)

    with django_assert_num_queries(1):
        assert is_active(token, caller)


@pytest.mark.parametrize(("paths", "statements"), [((OWN, f"{__name__}.Guests"), 2), ((f"{__name__}.Guests", OWN), 1)])
def test_the_token_of_a_caller_of_another_source_is_looked_up_afterwards(
    token: str, sources: Any, django_assert_num_queries: Any, paths: tuple[str, ...], statements: int
) -> None:
    sources(*paths)

    with django_assert_num_queries(statements):
        assert is_active(token, endpoints.basic("guest", "any"))


def test_a_caller_that_a_source_refuses_gets_nothing_of_the_token(token: str, sources: Any) -> None:
    refused = introspecting_client(client_name="Refused")
    sources(f"{__name__}.Strict")

    assert_refused(endpoints.introspect(token, auth=refused), 401, "invalid_client", token)


def test_a_backend_of_the_endpoint_is_asked_and_nothing_is_read_along(
    caller: Any, token: str, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "INTROSPECTION_BACKEND": "default"}
    endpoints.introspect("x", auth=caller)

    with CaptureQueriesContext(connection) as captured:
        endpoints.introspect(token, auth=caller)

    first, second = (query["sql"] for query in captured.captured_queries)
    assert "introspection_token" not in first
    assert "introspection_token" in second


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke"])
def test_the_other_endpoints_read_no_token_with_the_secret(caller: Any, token: str, path: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        endpoints.post(path, {"token": token, "grant_type": "client_credentials"}, auth=caller)

    assert "introspection_token" not in captured.captured_queries[0]["sql"]


def test_a_token_that_ended_in_between_is_inactive(caller: Any, token: str) -> None:
    assert is_active(token, caller)
    revoke_token(Token.objects.get(), by=None)

    assert_inactive(endpoints.introspect(token, auth=caller))


def test_a_request_without_token_is_refused_only_after_authentication(caller: Any) -> None:
    assert_refused(endpoints.post("/oauth/introspect", {}, auth=(caller.client, "w" * 40)), 401, "invalid_client")
    assert_refused(endpoints.post("/oauth/introspect", {}, auth=caller), 400, "invalid_request")


def test_a_wrong_secret_is_the_same_statement_whether_the_token_exists_or_not(caller: Any, token: str) -> None:
    statements = []
    for asked in (token, opaque.generate(opaque.ACCESS_TOKEN)):
        with CaptureQueriesContext(connection) as captured:
            assert endpoints.introspect(asked, auth=(caller.client, "w" * 40)).status_code == 401
        (query,) = captured.captured_queries
        statements.append(query["sql"])

    assert len({statement.partition("introspection_token")[0] for statement in statements}) == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="it reads a plan of PostgreSQL")
@pytest.mark.parametrize(("secret", "is_read"), [("right", True), ("w" * 40, False)])
def test_no_token_is_looked_for_without_the_right_secret(caller: Any, token: str, secret: str, is_read: bool) -> None:
    with CaptureQueriesContext(connection) as captured:
        endpoints.introspect(token, auth=(caller.client, caller.secret if secret == "right" else secret))
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {captured.captured_queries[0]['sql']}")
        plan = [line for (line,) in cursor.fetchall() if " on introspection_token" in line]

    assert plan
    assert all(("never executed" not in line) == is_read for line in plan)


def test_a_function_of_the_project_may_read_every_column_of_the_caller(
    caller: Any, token: str, connect: Any, django_assert_num_queries: Any
) -> None:
    heard: list[Any] = []
    connect("token_introspected", lambda caller, **_: heard.append(caller))

    assert is_active(token, caller)

    with django_assert_num_queries(0):
        assert str(heard[0]) == caller.client.client_name
    with django_assert_num_queries(1):
        assert heard[0].grant_types == caller.client.grant_types
