"""Tokens for the next API, from authorization servers that others wrote, and from our own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from django_introspection import introspect
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.exceptions import ExchangeRefused, IntrospectionUnavailable
from django_introspection.services import exchange_token, service_token
from tests import factories, jose
from tests.peers.processes import NODE, drive, served
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

from .test_as_resource_server import CALLER, ENVIRONMENT, MACHINE, get_token

NEXT = "https://api.example.com/billing"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
NEXT_API = {
    "default": {"BACKEND": "django_introspection.backends.DatabaseBackend", "OPTIONS": {"audience": NEXT}},
}
CLIENT = {"client_id": CALLER[0], "client_secret": CALLER[1]}
EXCHANGING = {**ENVIRONMENT, "NEXT_RESOURCE": NEXT, "NEXT_SCOPE": "bills:read"}


def configure(settings: Any, services: dict[str, Any], **options: Any) -> None:
    """Let the project call other APIs; with the options of a server it is the next API as well."""
    remote = {
        "BACKEND": "django_introspection.backends.RemoteBackend",
        "OPTIONS": {**CLIENT, "audience": NEXT, **options},
    }
    backends = {"BACKENDS": {"default": remote}} if options else {}
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, **backends, "SERVICES": services}


@pytest.mark.parametrize("actor", [None, "self"])
def test_a_token_of_oidc_provider_becomes_one_for_the_next_api(settings: Any, actor: str | None) -> None:
    environment = {**EXCHANGING, **({"REQUIRE_ACTOR": "1"} if actor else {})}
    with served(["node", "oidc_provider.js"], environment, cwd=NODE) as issuer, httpx2.Client(auth=MACHINE) as shop:
        own = {**CLIENT, "issuer": issuer}
        exchange = {**own, "grant_type": EXCHANGE, "audience": NEXT, "scope": "bills:read"}
        billing = {**exchange, "actor": actor} if actor else exchange
        configure(
            settings, {"billing": billing, "nowhere": {**billing, "audience": "urn:x"}, "self": own}, issuer=issuer
        )
        token = get_token(shop, f"{issuer}/token", scope="orders:read")

        assert introspect(token) is None, "it is for this API, and not for the next one"
        exchanged = introspect(exchange_token("billing", token).value)
        assert exchanged is not None
        assert exchanged.audiences == (NEXT,)
        assert exchanged.client_id == CALLER[0]

        with pytest.raises(ExchangeRefused) as raised:
            exchange_token("nowhere", token)
        assert raised.value.error == "invalid_target"
        assert shop.post(f"{issuer}/token/revocation", data={"token": token}).status_code == 200
        with pytest.raises(ExchangeRefused) as raised:
            exchange_token("billing", token)
        assert raised.value.error == "invalid_request"

    with pytest.raises(IntrospectionUnavailable):
        exchange_token("billing", token)


@pytest.mark.parametrize("method", ["client_secret_basic", "private_key_jwt"])
def test_oidc_provider_issues_a_token_for_this_project(settings: Any, method: str) -> None:
    keys = json.dumps({"keys": [jose.public("ES256", kid="ours", alg="ES256", use="sig")]})
    environment = {**EXCHANGING, **({"CALLER_JWKS": keys} if method == "private_key_jwt" else {})}
    with served(["node", "oidc_provider.js"], environment, cwd=NODE) as issuer:
        own: dict[str, Any] = {"issuer": issuer, "client_id": CALLER[0], "auth_method": method, "scope": "orders:read"}
        if method == "private_key_jwt":
            credentials: dict[str, Any] = {"private_key": {"KEY": jose.private("ES256", kid="ours")}}
        else:
            credentials = {"client_secret": CALLER[1]}
        settings.TOKEN_INTROSPECTION = {"SERVICES": {"orders": {**own, **credentials, "resource": AUDIENCE}}}

        token = service_token("orders")

    assert token.scope == "orders:read"
    assert token.expires_at is not None
    assert service_token("orders") == token, "it serves while the server is away"


def test_django_oauth_toolkit_issues_a_token_for_this_project(settings: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.peers.oauth_toolkit"]
    environment = {**ENVIRONMENT, "DATABASE_FILE": str(tmp_path / "server.sqlite3"), "PORT": "0"}
    with served(command, environment) as issuer:
        entry = {"token_url": f"{issuer}/o/token/", "client_id": MACHINE[0], "client_secret": MACHINE[1], "timeout": 30}
        wrong = {**entry, "client_secret": "wrong"}
        settings.TOKEN_INTROSPECTION = {"SERVICES": {"orders": {**entry, "scope": "orders:read"}, "wrong": wrong}}

        assert service_token("orders").scope == "orders:read"
        with pytest.raises(IntrospectionUnavailable, match="401 invalid_client"):
            service_token("wrong")


@pytest.mark.django_db(transaction=True)
def test_our_own_server_issues_a_token_that_our_views_accept(issuer: str, settings: Any) -> None:
    client, secret = factories.RegistrationFactory(grant_types=["client_credentials"])
    entry = {"issuer": issuer, "client_id": client.client_id, "client_secret": secret, "resource": AUDIENCE}
    configure(settings, {"orders": {**entry, "scope": "orders:read"}, "wrong": {**entry, "scope": "no:such"}})
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "ISSUER": issuer}

    token = service_token("orders")

    answer = httpx2.get(f"{issuer}/whoami", headers=token.headers)
    assert answer.status_code == 200
    with pytest.raises(IntrospectionUnavailable, match="400 invalid_scope"):
        service_token("wrong")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("actor", [None, "self"])
def test_our_own_server_exchanges_the_token_of_a_user_for_the_next_api(
    issuer: str, settings: Any, actor: str | None
) -> None:
    user = factories.UserFactory()
    client, secret = factories.RegistrationFactory(
        grant_types=[EXCHANGE, "client_credentials"], resources=[AUDIENCE], allowed_resources=[AUDIENCE, NEXT]
    )
    received = factories.TokenFactory(user=user, scope="orders:read orders:write", audience=[AUDIENCE, NEXT])
    own = {"issuer": issuer, "client_id": client.client_id, "client_secret": secret}
    billing = {**own, "grant_type": EXCHANGE, "resource": NEXT, "scope": "orders:read"}
    billing |= {"actor": actor} if actor else {}
    configure(
        settings,
        {"billing": billing, "nowhere": {**billing, "resource": "urn:x"}, "self": {**own, "resource": AUDIENCE}},
    )
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "ISSUER": issuer, "BACKENDS": NEXT_API}

    token = exchange_token("billing", received.access_token)

    info = introspect(token.value)
    assert info is not None
    assert (info.sub, info.client_id, info.audiences) == (str(user.pk), client.client_id, (NEXT,))
    assert info["act"] == {"sub": client.client_id, "iss": issuer}
    assert (token.scope, token.issued_token_type) == ("orders:read", "urn:ietf:params:oauth:token-type:access_token")
    for service, scope, error in (("nowhere", None, "invalid_target"), ("billing", "bills:read", "invalid_scope")):
        with pytest.raises(ExchangeRefused) as raised:
            exchange_token(service, received.access_token, scope=scope)
        assert raised.value.error == error
    revoke_token(received.token, by=None)
    assert introspect(token.value) is None
    with pytest.raises(ExchangeRefused) as raised:
        exchange_token("billing", received.access_token)
    assert raised.value.error == "invalid_request"


@pytest.mark.django_db(transaction=True)
def test_openid_client_exchanges_a_token_at_our_own_server(issuer: str) -> None:
    user = factories.UserFactory()
    client, secret = factories.RegistrationFactory(
        grant_types=[EXCHANGE], resources=[AUDIENCE], allowed_resources=[AUDIENCE, NEXT]
    )
    received = factories.TokenFactory(user=user, scope="orders:read orders:write", audience=[AUDIENCE, NEXT])
    environment = {
        "ISSUER": issuer,
        "CLIENT_ID": client.client_id,
        "CLIENT_SECRET": secret,
        "SUBJECT_TOKEN": received.access_token,
        "RESOURCE": NEXT,
    }

    assert drive("exchange.js", environment) == {
        "issued": "urn:ietf:params:oauth:token-type:access_token",
        "type": "bearer",
        "scope": "orders:read",
        "actor": client.client_id,
        "sub": str(user.pk),
        "lives": True,
        "wrong": ["invalid_scope", "invalid_target", "invalid_request"],
    }
