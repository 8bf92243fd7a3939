"""A token that is limited to some networks opens a view for a sender in one of these, and for no other."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import path

from django_introspection import aintrospect, introspect
from django_introspection.decorators import token_required
from django_introspection.forward_auth import verify
from tests import endpoints, factories
from tests.backends.issuers import access_token, jwt_settings, public, publish
from tests.misbehaving.server import MisbehavingServer
from tests.settings import ISSUER, TOKEN_INTROSPECTION

from .protected import TOKEN, protect

LIMITED = {"allowed_networks": ["192.0.2.0/24", "2001:db8::/32"]}
INSIDE, OUTSIDE, PROXY = "192.0.2.7", "198.51.100.7", "10.0.0.1"


def plain(request: Any) -> HttpResponse:
    return HttpResponse(request.token_info.scope if hasattr(request.token_info, "scope") else "")


@token_required()
async def asynchronous(request: Any) -> HttpResponse:
    return HttpResponse()


urls = ModuleType("urls")
urls.urlpatterns = [
    path("drf", protect().as_view()),
    path("decorated", token_required()(plain)),
    path("asynchronous", asynchronous),
    path("below/path", lambda request: HttpResponse()),
    path("verify", verify()),
    path("envoy<path:original>", verify()),
]
VIEWS = ("/drf", "/decorated", "/asynchronous", "/below/path")


@pytest.fixture(autouse=True)
def _urls(settings: Any) -> None:
    settings.ROOT_URLCONF = urls
    settings.MIDDLEWARE = ["django_introspection.middleware.ProtectedPaths"]


def configure(settings: Any, backend: dict[str, Any] | None = None, **more: Any) -> None:
    values = {**TOKEN_INTROSPECTION, "PROTECTED_PATHS": {"/below/": {}}, **more}
    settings.TOKEN_INTROSPECTION = values if backend is None else {**values, "BACKENDS": {"default": backend}}


def status(token: str, address: str, view: str = "/drf", **headers: str) -> int:
    sent = {"Authorization": f"Bearer {token}", **headers}
    return Browser().get(view, headers=sent, REMOTE_ADDR=address).status_code


@pytest.fixture
def token(db: None, settings: Any) -> str:
    """A token of our own tables."""
    configure(settings)
    value: str = factories.TokenFactory(user=factories.UserFactory(), members=LIMITED).access_token
    return value


@pytest.mark.parametrize("view", VIEWS)
def test_every_way_to_protect_a_view_looks_at_the_sender(token: str, view: str) -> None:
    assert status(token, INSIDE, view) == 200
    assert status(token, "2001:db8::7", view) == 200
    assert status(token, OUTSIDE, view) == 401
    assert status(token, "", view) == 401
    assert status(factories.TokenFactory().access_token, OUTSIDE, view) == 200


def test_the_refusal_is_that_of_an_invalid_token_and_the_log_has_the_reason(token: str, caplog: Any) -> None:
    caplog.set_level("INFO", "django_introspection")
    headers = {"Authorization": f"Bearer {token}"}
    refused = Browser().get("/drf", headers=headers, REMOTE_ADDR=OUTSIDE)

    assert 'error="invalid_token"' in refused["WWW-Authenticate"]
    assert "192.0.2" not in f"{refused.content.decode()} {refused.headers}"
    assert "sent from outside of its networks; expected an address in allowed_networks '192.0.2.0/24'" in caplog.text
    assert f"found address '{OUTSIDE}'" in caplog.text


def test_only_a_trusted_proxy_names_another_sender(token: str, settings: Any) -> None:
    forwarded = {"X-Forwarded-For": INSIDE}
    assert status(token, PROXY, **forwarded) == 401
    assert status(token, INSIDE, **{"X-Forwarded-For": OUTSIDE}) == 401
    assert status(token, INSIDE, Forwarded=f"for={OUTSIDE}") == 401

    configure(settings, TRUSTED_PROXIES=[f"{PROXY}/32", "192.0.2.7"])
    assert status(token, PROXY, **forwarded) == 401  # that is a proxy which names no client
    assert status(token, PROXY, **{"X-Forwarded-For": "192.0.2.8"}) == 200
    assert status(token, INSIDE) == 401


@pytest.mark.parametrize(("view", "status_inside"), [("/verify", 200), ("/envoy/orders", 200)])
def test_forward_authentication_looks_at_the_client_of_the_proxy(
    token: str, settings: Any, view: str, status_inside: int
) -> None:
    original = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/orders"}

    assert status(token, INSIDE, view, **original) == 401  # a proxy that is not trusted, with its own address
    configure(settings, TRUSTED_PROXIES=[INSIDE])
    assert status(token, INSIDE, view, **original) == 401  # a proxy that does not say who asks
    assert status(token, INSIDE, view, **original, **{"X-Forwarded-For": OUTSIDE}) == 401
    assert status(token, INSIDE, view, **original, **{"X-Forwarded-For": "192.0.2.9"}) == status_inside


def test_without_a_request_the_caller_names_the_address(token: str) -> None:
    for ask in (introspect, async_to_sync(aintrospect)):
        assert ask(token) is None
        assert ask(token, address=OUTSIDE) is None
        assert ask(token, address=INSIDE) is not None


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("local", [0, 60])
def test_an_answer_of_another_server_is_judged_for_each_sender(settings: Any, cached: bool, local: int) -> None:
    with MisbehavingServer() as server:
        backend = server.settings()["BACKENDS"]["default"]
        cache = {"CACHE": {"MAX_AGE": 60, "LOCAL_MAX_AGE": local}} if cached else {}
        configure(settings, {**backend, **cache})
        server.behave("active", **LIMITED)

        assert [status(TOKEN, sender) for sender in (INSIDE, OUTSIDE, INSIDE, OUTSIDE)] == [200, 401, 200, 401]
        assert len(server.requests) == (1 if cached else 4)


@pytest.mark.parametrize("value", ["192.0.2.0/24", [], [7], ["192.0.2.1/24"], {}, True, ["everywhere"]])
def test_a_malformed_limit_of_another_server_admits_no_sender(settings: Any, value: Any) -> None:
    with MisbehavingServer() as server:
        configure(settings, server.settings()["BACKENDS"]["default"])
        server.behave("active", allowed_networks=value)

        assert status(TOKEN, INSIDE) == 401


def test_the_limit_in_a_jwt_counts_behind_a_routing_backend_as_well(settings: Any) -> None:
    with MisbehavingServer() as issuer:
        publish(issuer, public())
        jwt = jwt_settings(issuer.origin, insecure_http=True)
        routing = {
            "BACKEND": "django_introspection.backends.RoutingBackend",
            "OPTIONS": {"issuers": {issuer.origin: "jwt"}},
        }
        token = access_token(issuer.origin, **LIMITED)
        for default in (jwt, routing):
            configure(settings, BACKENDS={"default": default, "jwt": jwt})
            assert [status(token, sender) for sender in (INSIDE, OUTSIDE)] == [200, 401]


def test_a_limit_that_the_confirming_server_leaves_out_still_counts(settings: Any) -> None:
    with MisbehavingServer() as issuer:
        publish(issuer, public())
        issuer.behave("active", iss=issuer.origin, aud="https://api.example.com/orders")
        remote = issuer.settings()["BACKENDS"]["default"]
        jwt = jwt_settings(issuer.origin, insecure_http=True, then_ask="remote")
        configure(settings, BACKENDS={"default": jwt, "remote": remote})
        token = access_token(issuer.origin, **LIMITED)

        assert [status(token, sender) for sender in (INSIDE, OUTSIDE)] == [200, 401]


@pytest.mark.parametrize("visible", [[], ["scope"]])
def test_no_policy_hides_the_limit_from_a_caller(db: None, settings: Any, visible: list[str]) -> None:
    settings.ROOT_URLCONF = "tests.urls"
    caller = factories.ResourceServerFactory(visible_members=visible)
    issued = factories.TokenFactory(members=LIMITED)

    answer = endpoints.introspect(issued.access_token, auth=caller).json()

    assert answer["allowed_networks"] == LIMITED["allowed_networks"]
    assert ("sub" in answer) is (not visible)


def test_a_caller_of_the_endpoint_is_a_sender_as_well(machine: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.urls"
    client, _ = machine
    limited, other = (
        factories.TokenFactory(client=client, scope="introspection", audience=[ISSUER], members=members).access_token
        for members in ({"allowed_networks": ["127.0.0.0/8"]}, LIMITED)
    )
    assert endpoints.introspect("x", auth=f"Bearer {limited}").status_code == 200
    assert endpoints.introspect("x", auth=f"Bearer {other}").status_code == 401


@pytest.mark.parametrize("value", [[], ["x"], "192.0.2.0/24", None])
def test_no_token_is_issued_with_a_malformed_limit(db: None, value: Any) -> None:
    with pytest.raises(Exception, match="allowed_networks"):
        factories.TokenFactory(members={"allowed_networks": value})
