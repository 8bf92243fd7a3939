from __future__ import annotations

import threading
import time
from typing import Any

import httpx2
import pytest
from django.test import Client

from django_introspection import introspect, testing
from django_introspection.exceptions import ExchangeRefused, IntrospectionUnavailable
from django_introspection.services import exchange_token, service_token
from tests.endpoints import basic

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPE = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture
def authorization_server(settings: Any) -> Any:
    """The server of the kit, and this project its resource server."""
    with testing.FakeAuthorizationServer() as server:
        settings.TOKEN_INTROSPECTION = server.settings()
        yield server


def ask(server: testing.FakeAuthorizationServer, path: str, *, auth: Any = None, **form: Any) -> httpx2.Response:
    credentials = (server.client_id, server.client_secret) if auth is None else auth
    headers = {"Authorization": basic(*credentials)} if credentials else {}
    return httpx2.post(server.issuer + path, data=form, headers=headers)


def test_an_issued_token_opens_a_view_until_it_is_revoked(authorization_server: Any) -> None:
    token = authorization_server.issue(scope="orders:read", sub="alice")
    assert Client().get("/whoami", headers=testing.bearer(token)).json()["sub"] == "alice"

    authorization_server.revoke(token)

    testing.assert_challenge(Client().get("/whoami", headers=testing.bearer(token)), "invalid_token")


def test_it_keeps_every_request(authorization_server: Any) -> None:
    token = authorization_server.issue()
    introspect(token)
    introspect("unknown")

    first, second = authorization_server.requests
    assert (first.method, first.path) == ("POST", "/introspect")
    assert first.form == {"token": token, "token_type_hint": "access_token"}
    assert first.headers["authorization"] == basic("test-client", authorization_server.client_secret)
    assert second.form["token"] == "unknown"
    assert token not in repr(first)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_the_caller_may_use_either_method(method: str, authorization_server: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(auth_method=method)

    assert introspect(authorization_server.issue()) is not None


@pytest.mark.parametrize("auth", [("test-client", "wrong"), ("nobody", "x"), ()])
@pytest.mark.parametrize("path", ["/introspect", "/token", "/revoke"])
def test_a_caller_without_its_credentials_is_refused(auth: Any, path: str, authorization_server: Any) -> None:
    response = ask(authorization_server, path, auth=auth, token="t", grant_type="client_credentials")

    assert response.json()["error"] == "invalid_client"
    testing.assert_unauthorized(response, scheme="Basic")


def test_another_way_of_authentication_is_not_supported(authorization_server: Any) -> None:
    headers = {"Authorization": "Bearer token"}

    response = httpx2.post(authorization_server.introspection_url, data={"token": "t"}, headers=headers)

    testing.assert_unauthorized(response, scheme="Basic")


def test_more_clients_can_be_known(authorization_server: Any, settings: Any) -> None:
    authorization_server.clients["billing"] = "a secret"
    settings.TOKEN_INTROSPECTION = authorization_server.settings(client_id="billing", client_secret="a secret")

    assert introspect(authorization_server.issue()) is not None


def test_a_wrong_secret_in_the_settings_is_an_outage_as_in_production(authorization_server: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(client_secret="wrong")

    with pytest.raises(IntrospectionUnavailable, match="refuses this resource server"):
        introspect(authorization_server.issue())


def test_the_audience_is_asked_for(authorization_server: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(audience="https://api.example.com/orders")

    assert introspect(authorization_server.issue()) is None
    assert introspect(authorization_server.issue(aud="https://api.example.com/orders")) is not None


def test_an_expired_token_is_inactive(authorization_server: Any) -> None:
    assert introspect(authorization_server.issue(exp=int(time.time()))) is None
    assert introspect(authorization_server.issue(exp=None)) is not None


def test_a_client_gets_a_token_for_itself_and_revokes_it(authorization_server: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(audience="https://a.example")
    resources = ["https://a.example", "https://b.example"]

    answer = ask(
        authorization_server, "/token", grant_type="client_credentials", scope="a b", resource=resources
    ).json()

    info = introspect(answer["access_token"])
    assert (answer["token_type"], answer["scope"]) == ("Bearer", "a b")
    assert info is not None
    assert (info.client_id, info.audiences) == ("test-client", tuple(resources))
    assert ask(authorization_server, "/revoke", token=answer["access_token"]).status_code == 200
    assert introspect(answer["access_token"]) is None
    assert ask(authorization_server, "/revoke", token="unknown").status_code == 200


def test_a_token_of_another_client_is_not_revoked(authorization_server: Any) -> None:
    token = authorization_server.issue(client_id="another")

    ask(authorization_server, "/revoke", token=token)

    assert introspect(token) is not None


def test_it_issues_and_exchanges_tokens_for_the_next_api(authorization_server: Any, settings: Any) -> None:
    billing = "https://api.example.com/billing"
    settings.TOKEN_INTROSPECTION = {
        **authorization_server.settings(audience=billing),
        "SERVICES": {
            "own": authorization_server.service(resource=billing),
            "exchange": authorization_server.service(grant_type=EXCHANGE, audience=billing, actor="own"),
        },
    }
    token = authorization_server.issue(sub="alice", scope="orders:read", client_id="web")

    exchanged = exchange_token("exchange", token, scope="bills:read")

    info = introspect(exchanged.value)
    assert info is not None
    assert (info.sub, info.client_id, info.audiences) == ("alice", "test-client", (billing,))
    assert info.scopes == {"bills:read"}
    assert exchanged.scope == "bills:read"
    assert exchange_token("exchange", token).scope == "orders:read"
    own = introspect(service_token("own").value)
    assert own is not None
    assert own.sub == "test-client"
    authorization_server.revoke(token)
    with pytest.raises(ExchangeRefused, match="invalid_request"):
        exchange_token("exchange", token)


@pytest.mark.parametrize(
    ("path", "form", "status", "error"),
    [
        ("/token", {"grant_type": "password"}, 400, "unsupported_grant_type"),
        ("/token", {"grant_type": "client_credentials", "scope": 'a"b'}, 400, "invalid_scope"),
        ("/token", {}, 400, "invalid_request"),
        ("/token", {"grant_type": EXCHANGE}, 400, "invalid_request"),
        ("/token", {"grant_type": EXCHANGE, "subject_token": "a"}, 400, "invalid_request"),
        ("/token", {"grant_type": EXCHANGE, "subject_token": "a", "subject_token_type": TYPE}, 400, "invalid_request"),
        ("/introspect", {}, 400, "invalid_request"),
        ("/introspect", {"token": ["a", "b"]}, 400, "invalid_request"),
        ("/nowhere", {"token": "a"}, 404, "invalid_request"),
        ("/jwks", {"token": "a"}, 405, "invalid_request"),
    ],
)
def test_a_wrong_request_is_told_why(path: str, form: Any, status: int, error: str, authorization_server: Any) -> None:
    response = ask(authorization_server, path, **form)

    assert (response.status_code, response.json()["error"]) == (status, error)


def test_the_documents_describe_it(authorization_server: Any) -> None:
    document = httpx2.get(authorization_server.issuer + "/.well-known/oauth-authorization-server").json()

    assert document["issuer"] == authorization_server.issuer
    assert document["introspection_endpoint"] == authorization_server.introspection_url
    for name in ("token_endpoint", "introspection_endpoint", "revocation_endpoint"):
        assert httpx2.get(document[name]).status_code == 405
        assert httpx2.post(document[name]).status_code == 401
    assert httpx2.get(document["jwks_uri"]).status_code == 200


def test_a_jwt_is_signed_with_a_published_key(authorization_server: Any) -> None:
    from joserfc import jwt
    from joserfc.jwk import KeySet

    token = authorization_server.issue(jwt=True, scope="a", sub="alice")
    keys = KeySet.import_key_set(httpx2.get(authorization_server.issuer + "/jwks").json())

    read = jwt.decode(token, keys, algorithms=["ES256"])

    assert read.header["typ"] == "at+jwt"
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= read.claims.keys(), "RFC 9068 §2.2"
    info = introspect(token)
    assert info is not None
    assert info.sub == read.claims["sub"] == "alice"


def test_it_refuses_connections_and_comes_back_at_the_same_place(authorization_server: Any) -> None:
    token, url = authorization_server.issue(), authorization_server.introspection_url

    with authorization_server.outage("refuse"):
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(url)
        with pytest.raises(IntrospectionUnavailable):
            introspect(token)

    assert authorization_server.introspection_url == url
    assert introspect(token) is not None


def test_it_is_unavailable_for_a_while(authorization_server: Any) -> None:
    headers = testing.bearer(authorization_server.issue(scope="orders:read"))

    with authorization_server.outage():
        testing.assert_unavailable(Client().get("/whoami", headers=headers))

    assert Client().get("/whoami", headers=headers).status_code == 200


def test_it_hangs_until_the_outage_is_over(authorization_server: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(timeout=1)
    token, answers = authorization_server.issue(), []
    waiting = threading.Thread(
        target=lambda: answers.append(httpx2.get(authorization_server.issuer + "/jwks", timeout=30).status_code)
    )

    with authorization_server.outage("hang"):
        waiting.start()
        with pytest.raises(IntrospectionUnavailable):
            introspect(token)
        while len(authorization_server.requests) < 2:
            time.sleep(0.01)
        assert answers == []
    waiting.join()

    assert answers == [503]
    assert introspect(token) is not None


def test_it_ends_although_somebody_hangs() -> None:
    before = set(threading.enumerate())

    with testing.FakeAuthorizationServer() as server:
        outage = server.outage("hang")
        outage.__enter__()
        with pytest.raises(httpx2.TimeoutException):
            httpx2.get(server.issuer, timeout=0.1)

    assert set(threading.enumerate()) == before


def test_it_must_be_started() -> None:
    with pytest.raises(RuntimeError, match="with statement"):
        testing.FakeAuthorizationServer().issuer  # noqa: B018 - reading is the test


def test_its_issuer_is_enough_to_find_it(authorization_server: Any, settings: Any) -> None:
    found = authorization_server.settings()
    del found["BACKENDS"]["default"]["OPTIONS"]["introspection_url"]
    settings.TOKEN_INTROSPECTION = found

    assert introspect(authorization_server.issue()) is not None
    assert authorization_server.requests[0].path == "/.well-known/oauth-authorization-server"
