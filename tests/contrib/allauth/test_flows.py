"""Tokens that allauth gave at its own endpoints, asked about at ours."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.settings import AUDIENCE, ISSUER

from . import flows


@pytest.fixture(params=["opaque", "jwt"])
def form(request: pytest.FixtureRequest, settings: Any) -> str:
    """The format of access tokens."""
    settings.IDP_OIDC_ACCESS_TOKEN_FORMAT = request.param
    return str(request.param)


def test_a_machine_token_has_every_member_that_is_known(
    form: str, shop: flows.Registered, api: flows.Registered
) -> None:
    before = int(time.time())
    token = flows.client_credentials(shop, resource=AUDIENCE)
    assert (token.count(".") == 2) == (form == "jwt")

    members = flows.members(token, api)

    assert ("jti" in members) == (form == "jwt")
    members.pop("jti", None)
    assert before <= members.pop("iat") <= time.time()
    assert before + 3600 <= members.pop("exp") <= time.time() + 3600
    assert members == {
        "active": True,
        "scope": "orders:read",
        "client_id": shop.client.id,
        "sub": shop.client.id,
        "token_type": "Bearer",
        "iss": ISSUER,
        "aud": [AUDIENCE],
    }


def test_a_users_token_from_a_code_names_the_user(form: str, api: flows.Registered, user: Any) -> None:
    tokens = flows.authorization_code(flows.register(), user)

    members = flows.members(tokens["access_token"], api)

    assert (members["active"], members["sub"], members["username"]) == (True, str(user.pk), user.username)
    assert flows.members(tokens["id_token"], api) == {"active": False}
    assert flows.view(tokens["id_token"]).status_code == 401


def test_the_protected_view_takes_the_token_with_one_statement(form: str, user: Any) -> None:
    token = flows.authorization_code(flows.register(), user)["access_token"]

    with CaptureQueriesContext(connection) as captured:
        response = flows.view(token)

    assert response.json() == {"user": str(user.pk), "sub": str(user.pk)}
    assert len(captured) == 1


def test_a_jwt_with_another_signature_is_unknown(shop: flows.Registered, api: flows.Registered, settings: Any) -> None:
    settings.IDP_OIDC_ACCESS_TOKEN_FORMAT = "jwt"
    token = flows.client_credentials(shop)

    for other in (token[:-3] + "AAA", token.rpartition(".")[0] + "."):
        assert flows.members(other, api) == {"active": False}
        assert flows.view(other).status_code == 401


def test_an_introspection_takes_two_statements(form: str, shop: flows.Registered, api: flows.Registered) -> None:
    token = flows.client_credentials(shop)
    flows.members(token, api)  # Django asks SQLite once whether it knows JSON
    with CaptureQueriesContext(connection) as captured:
        assert flows.members(token, api)["active"] is True
    with CaptureQueriesContext(connection) as unknown:
        assert flows.members("unknown", api) == {"active": False}

    assert (len(captured), len(unknown)) == (2, 2)


def test_a_refresh_token_is_described_to_its_client_until_it_is_used(user: Any, api: flows.Registered) -> None:
    client = flows.register()
    value = flows.authorization_code(client, user)["refresh_token"]

    members = flows.members(value, client)

    assert (members["active"], members["sub"]) == (True, str(user.pk))
    assert "token_type" not in members
    assert members["token_use"] == "refresh_token"
    assert flows.members(value, api) == {"active": False}
    assert flows.view(value).status_code == 401
    flows.refresh(client, value)
    assert flows.members(value, client) == {"active": False}


def test_a_revoked_token_is_inactive_at_once(form: str, shop: flows.Registered, api: flows.Registered) -> None:
    token = flows.client_credentials(shop)
    flows.revoke(shop, token)

    assert flows.members(token, api) == {"active": False}
    assert flows.view(token).status_code == 401


def test_theirs_says_nothing_that_ours_does_not(form: str, user: Any) -> None:
    """Except for the kind of token where its type belongs, and for an issuer from the Host of the request."""
    client = flows.register()
    tokens = [
        flows.client_credentials(client, resource=AUDIENCE),
        flows.authorization_code(client, user)["access_token"],
    ]

    for token in tokens:
        told = flows.theirs(token, client)
        assert (told.pop("token_type"), told.pop("iss")) == ("access_token", "http://testserver")
        assert told.items() <= flows.members(token, client).items()
