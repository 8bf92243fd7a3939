"""The option `audience_claim`: the member in which a server names the audience of its tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import override_settings

from django_introspection import introspect, testing, token_backends
from django_introspection.exceptions import InvalidBackend
from django_introspection.resource_server.checks import check_metadata
from django_introspection.resource_server.inspection import inspect_token
from django_introspection.resource_server.metadata import resource_of
from django_introspection.testing import FakeAuthorizationServer
from tests import caches as test_caches
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

BACKENDS = "django_introspection.backends"
Issue = Callable[..., str]


@pytest.fixture(scope="module")
def server() -> Iterator[FakeAuthorizationServer]:
    with FakeAuthorizationServer(audience=AUDIENCE) as running:
        yield running


@pytest.fixture(params=["RemoteBackend", "JWTBackend", "JWT, then remote", "RoutingBackend"])
def configured(request: Any, server: FakeAuthorizationServer, settings: Any) -> Any:
    """Configure one way to a token with some options; returns what issues a token with some claims."""

    def configure(**options: Any) -> Issue:
        remote = server.settings(**options)["BACKENDS"]["default"]
        keys = {"issuer": server.issuer, "insecure_http": True, "require_at_jwt": False, **options}
        jwt = {"BACKEND": f"{BACKENDS}.JWTBackend", "OPTIONS": keys}
        backends: dict[str, Any] = {
            "RemoteBackend": remote,
            "JWTBackend": jwt,
            "JWT, then remote": {**jwt, "OPTIONS": {**keys, "then_ask": "remote"}},
            "RoutingBackend": {"BACKEND": f"{BACKENDS}.RoutingBackend", "OPTIONS": {"default": ["remote"]}},
        }
        aliases = {"remote": remote, "default": backends[request.param]}
        settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "BACKENDS": aliases}
        return lambda **claims: server.issue(scope="a", jwt="JWT" in request.param, **claims)

    return configure


@pytest.mark.parametrize("name", ["client_id", "cid", "https://shop.example/api", "resource_server"])
def test_a_token_is_accepted_by_the_claim_that_is_configured(configured: Any, name: str) -> None:
    issue = configured(audience=["orders-web", "orders-app"], audience_claim=name)

    assert introspect(issue(aud=None, **{name: "orders-app"})) is not None
    assert introspect(issue(**{name: "orders-app"})) is not None
    assert introspect(issue(aud="orders-app", **{name: "reports"})) is None
    assert introspect(issue(aud="orders-app", **{name: None})) is None


def test_the_claim_may_be_a_list(configured: Any) -> None:
    issue = configured(audience="orders", audience_claim="apis")

    assert introspect(issue(apis=["reports", "orders"])) is not None
    assert introspect(issue(apis=["reports"])) is None
    assert introspect(issue(apis=[])) is None


@pytest.mark.parametrize("value", [7, True, {"orders": True}, ["orders", 7], [["orders"]], {}, False, 0, ""])
@pytest.mark.parametrize("required", [True, False])
def test_a_claim_of_another_type_names_no_audience_that_is_ours(configured: Any, value: Any, required: bool) -> None:
    issue = configured(audience="orders", audience_claim="apis", audience_required=required)

    assert introspect(issue(apis=value)) is None


def test_a_token_without_the_claim_is_accepted_if_none_is_required(configured: Any) -> None:
    issue = configured(audience="orders", audience_claim="apis", audience_required=False)

    assert introspect(issue(aud="https://api.example.com/other")) is not None
    assert introspect(issue(apis=[])) is not None
    assert introspect(issue(apis="reports")) is None


def test_the_attribute_of_the_token_is_aud_all_the_same(configured: Any) -> None:
    issue = configured(audience="web", audience_claim="client_id")

    info = introspect(issue(aud=["urn:a"], client_id="web"))

    assert info is not None
    assert info.audiences == ("urn:a",)


def test_a_kept_answer_is_judged_by_the_claim_of_today(server: FakeAuthorizationServer, settings: Any) -> None:
    def ask(claim: str) -> bool:
        values = server.settings(audience="web", audience_claim=claim)
        values["BACKENDS"]["default"]["CACHE"] = {"ALIAS": "default"}
        settings.TOKEN_INTROSPECTION = values
        return introspect(token) is not None

    test_caches.empty()
    token = server.issue(client_id="web", cid="other")
    asked = len(server.requests)

    assert ask("client_id")
    assert not ask("cid")
    assert len(server.requests) == asked + 1


def test_the_rejection_names_the_claim(configured: Any) -> None:
    issue = configured(audience="web", audience_claim="client_id")

    rejected = inspect_token(issue(client_id="other"), "default", trace=[])

    assert str(rejected) == "wrong audience; expected client_id 'web'; found client_id 'other'"


@pytest.mark.parametrize(
    ("backend", "options", "problem"),
    [
        ("RemoteBackend", {"audience_claim": "cid"}, "needs the option audience"),
        ("RemoteBackend", {"audience": "a", "audience_claim": ["cid"]}, "must be a string"),
        ("RemoteBackend", {"audience": "a", "audience_claim": ""}, "must be a string"),
        ("JWTBackend", {"audience": "a", "audience_claim": "cid"}, "unless require_at_jwt is False"),
    ],
    ids=["without an audience", "a list", "empty", "strict JWTs"],
)
def test_a_combination_that_means_nothing_is_refused(
    backend: str, options: dict[str, Any], problem: str, settings: Any
) -> None:
    own = {"issuer": "https://a.example", **options}
    if backend == "RemoteBackend":
        own |= {"client_id": "api", "client_secret": "s"}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": {"BACKEND": f"{BACKENDS}.{backend}", "OPTIONS": own}}}

    with pytest.raises(InvalidBackend, match=problem) as raised:
        token_backends["default"]

    assert "['OPTIONS']['audience_claim']" in str(raised.value)


def test_only_aud_names_resources_of_the_metadata(server: FakeAuthorizationServer, settings: Any) -> None:
    """The identifier of a client can be a URL, and is no address of this API (RFC 9728 §1.2)."""
    settings.TOKEN_INTROSPECTION = server.settings(audience=AUDIENCE)
    assert resource_of(token_backends["default"]) == AUDIENCE
    settings.TOKEN_INTROSPECTION = server.settings(audience=AUDIENCE, audience_claim="client_id")

    assert resource_of(token_backends["default"]) is None
    assert [message.id for message in check_metadata()] == []


@pytest.mark.parametrize("claim", ["client_id", "cid"])
def test_a_token_of_a_test_is_for_the_backend_by_its_claim(claim: str, server: FakeAuthorizationServer) -> None:
    values = server.settings(audience="web", audience_claim=claim)
    with override_settings(TOKEN_INTROSPECTION=values), testing.fake_tokens():
        info = introspect(testing.token())

        assert info is not None
        assert info[claim] == "web"
        assert info.sub == info.client_id
        assert introspect(testing.token(**{claim: "other"})) is None
