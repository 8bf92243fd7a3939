from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_introspection.protocol import opaque
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import bearer, introspecting_client, sqlite_only


@pytest.fixture(params=["client_secret_basic", "client_secret_post", "bearer"])
def ask(request: Any, db: None) -> Any:
    """Ask about a token by each way to authenticate; the last use of the secret is fresh.

    `ask.budget` is the number of statements: the token is read along with a secret, but not along with another token.
    """
    way = request.param
    caller = introspecting_client(
        token_endpoint_auth_method="client_secret_post" if "post" in way else "client_secret_basic"
    )
    credentials: dict[str, str] = {}
    auth: Any = caller
    if way == "client_secret_post":
        auth, credentials = None, {"client_id": caller.client.client_id, "client_secret": caller.secret}
    elif way == "bearer":
        auth = bearer(caller)

    def post(token: str) -> Any:
        return endpoints.post("/oauth/introspect", {"token": token, **credentials}, auth=auth)

    assert post("unknown").status_code == 200
    post.budget = 2 if way == "bearer" else 1  # type: ignore[attr-defined]
    return post


@pytest.mark.parametrize("rows", [0, 30])
def test_a_good_token_of_a_user_costs_the_same_statements_whatever_the_table_holds(
    ask: Any, user: Any, django_assert_num_queries: Any, rows: int
) -> None:
    issued = factories.TokenFactory(user=user, refresh=True)
    for _ in range(rows):
        factories.TokenFactory(client=issued.token.client, user=user)

    with django_assert_num_queries(ask.budget):
        response = ask(issued.access_token)

    assert response.json()["active"] is True


def test_an_unknown_token_costs_as_many_statements_as_a_good_one(ask: Any, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(ask.budget):
        ask(opaque.generate(opaque.ACCESS_TOKEN))


@pytest.mark.parametrize(
    "token",
    [
        "dit_at_short",
        "dit_xx_" + "a" * 49,
        opaque.generate(opaque.ACCESS_TOKEN)[:-1] + "!",
        opaque.generate(opaque.CLIENT_SECRET),
        "a\x00b",
        "a\nb",
        "\x85",
    ],
    ids=["too short", "another prefix", "altered", "a client secret", "NUL", "line end", "C1 control"],
)
def test_a_value_that_cannot_be_a_token_costs_no_token_query(
    ask: Any, django_assert_num_queries: Any, token: str
) -> None:
    with django_assert_num_queries(1):
        response = ask(token)

    assert response.json() == {"active": False}


def test_a_project_with_atomic_requests_pays_no_savepoint(
    ask: Any, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    with django_assert_num_queries(ask.budget):
        ask("unknown")


@sqlite_only
def test_every_statement_of_the_endpoints_finds_its_rows_by_an_index(machine: Any, user: Any, settings: Any) -> None:
    machine.client.grant_types += ["refresh_token"]
    machine.client.save()
    issued, other = (factories.TokenFactory(client=machine.client, user=user, refresh=True) for _ in range(2))
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}, "REFRESH_GRACE": 60}
    signing = factories.RegistrationFactory(
        token_endpoint_auth_method="private_key_jwt", jwks={"keys": [jose.public("ES256")]}
    )
    with CaptureQueriesContext(connection) as captured:
        endpoints.introspect(issued.access_token, auth=machine)
        endpoints.post("/oauth/token", {"grant_type": "client_credentials"}, auth=machine)
        for _ in range(2):
            form = {"grant_type": "refresh_token", "refresh_token": other.refresh_token}
            assert endpoints.post("/oauth/token", form, auth=machine).status_code == 200
        endpoints.post("/oauth/introspect", {"token": "x", **jose.asserting(jose.assertion(signing.client.client_id))})
        endpoints.post("/oauth/revoke", {"token": issued.access_token}, auth=machine)
        endpoints.post("/oauth/revoke", {"token": issued.refresh_token}, auth=machine)

    statements = [query["sql"] for query in captured.captured_queries]
    searching = [sql for sql in statements if sql.startswith(("SELECT", "UPDATE", "DELETE"))]
    plans = {sql: _plan(sql) for sql in searching}
    assert len(searching) >= 18
    assert not [(sql, plan) for sql, plan in plans.items() if "SCAN" in plan or "SEARCH" not in plan]


_JOINED = "SCAN b LEFT-JOIN"
"""The one row of the token, which SQLite has found by an index and joins to that of the secret."""


def _plan(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        steps = [row[3] for row in cursor.fetchall()]
    return "; ".join(step for step in steps if step != _JOINED)
