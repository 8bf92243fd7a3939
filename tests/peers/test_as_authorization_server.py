"""Our authorization server, driven by clients that others wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest
from authlib.integrations.httpx_client import OAuth2Client

from tests import factories, jose
from tests.peers.conftest import environment
from tests.peers.processes import drive
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("script", "auth_method"),
    [("oauth4webapi.js", "client_secret_basic"), ("openid_client.js", "client_secret_post")],
)
@pytest.mark.requirement("8414-3.1-a", "8414-3.3-a", "6749-5.1-a", "7662-2.2-a", "7009-2.1-e")
def test_a_client_from_npm_discovers_gets_asks_revokes_and_asks_again(
    issuer: str, script: str, auth_method: str
) -> None:
    told = drive(script, environment(issuer, auth_method=auth_method))

    assert told["token_type"] == "bearer"
    assert told["scope"] == "orders:read"
    assert told["before"]["active"] is True
    assert told["before"]["aud"] == [AUDIENCE]
    assert told["before"]["iss"] == issuer
    assert told["after"] == {"active": False}


@pytest.mark.parametrize("auth_method", ["client_secret_basic", "client_secret_post"])
def test_authlib_gets_asks_revokes_and_asks_again(issuer: str, auth_method: str) -> None:
    env = environment(issuer, auth_method=auth_method)
    options: dict[str, Any] = {
        "token_endpoint_auth_method": auth_method,
        "revocation_endpoint_auth_method": auth_method,
    }
    with (
        OAuth2Client(env["CLIENT_ID"], env["CLIENT_SECRET"], scope=env["SCOPE"], **options) as machine,
        OAuth2Client(env["CALLER_ID"], env["CALLER_SECRET"], **options) as caller,
    ):
        token = machine.fetch_token(f"{issuer}/oauth/token", grant_type="client_credentials")["access_token"]
        before = caller.introspect_token(f"{issuer}/oauth/introspect", token=token)
        revoked = machine.revoke_token(f"{issuer}/oauth/revoke", token=token)
        after = caller.introspect_token(f"{issuer}/oauth/introspect", token=token)

    assert before.json()["active"] is True
    assert revoked.status_code == 200
    assert after.json() == {"active": False}


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "Ed25519"])
@pytest.mark.requirement("7523-5-a", "23b-4-a", "23b-4-b", "9068-2.1-a", "9068-2.2-a", "9068-4-h", "8414-2-g")
def test_a_client_from_npm_signs_for_itself_and_verifies_the_token_by_the_published_keys(
    issuer: str, settings: Any, alg: str
) -> None:
    settings.TOKEN_INTROSPECTION = {
        **TOKEN_INTROSPECTION,
        "ISSUER": issuer,
        "KEYS": [{"KEY": jose.pem(alg, "server"), "ALG": alg}],
    }
    named = {"kid": "mine", "alg": alg}
    own = {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [jose.public(alg, **named)]},
    }
    machine = factories.RegistrationFactory(access_token_format="jwt", **own).client
    caller = factories.ResourceServerFactory(**own).client
    key = json.dumps(jose.private(alg, **named))

    told = drive(
        "private_key_jwt.js",
        {
            "ISSUER": issuer,
            "CLIENT_ID": machine.client_id,
            "CLIENT_KEY": key,
            "CALLER_ID": caller.client_id,
            "CALLER_KEY": key,
            "SCOPE": "orders:read",
            "AUDIENCE": AUDIENCE,
        },
    )

    assert told["claims"]["client_id"] == machine.client_id
    assert told["claims"]["scope"] == "orders:read"
    assert told["before"] == {**told["claims"], "active": True, "token_type": "Bearer"}
    assert told["after"] == {"active": False}
