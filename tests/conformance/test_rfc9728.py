"""RFC 9728: the metadata of protected resources."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import checks
from django.test import Client as Browser
from django.test import override_settings
from django.urls import include, path

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.check_messages import TAG
from django_introspection.decorators import token_required
from django_introspection.permissions import requires_scope
from tests import factories
from tests.misbehaving.server import remote_settings
from tests.projects.run import run_module
from tests.resource_server.protected import ask, challenge_of, protect
from tests.settings import AUDIENCE, ISSUER, TOKEN_INTROSPECTION

WELL_KNOWN = "/.well-known/oauth-protected-resource"
OWN = "django_introspection.backends.DatabaseBackend"
REMOTE = remote_settings("https://id.partner.example/introspect", issuer="https://id.partner.example")


def get(url: str, **headers: str) -> Any:
    return Browser().get(url, headers=headers)


@pytest.fixture
def protect_as(settings: Any) -> Any:
    """Rename the resources of this server."""

    def rename(*identifiers: str) -> None:
        own = {"BACKEND": OWN, "OPTIONS": {"audience": list(identifiers)}}
        settings.TOKEN_INTROSPECTION = {"ISSUER": ISSUER, "BACKENDS": {"default": own}}
        settings.ALLOWED_HOSTS = ["*"]

    return rename


@pytest.mark.requirement("9728-2-a", "9728-2-b", "9728-2-c", "9728-2-d", "9728-3.2-a")
def test_the_document_says_what_is_there_and_nothing_else() -> None:
    """Tokens bound to a key are refused, and nothing is signed: no member may promise that."""
    response = get(f"{WELL_KNOWN}/orders")

    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.json() == {
        "resource": AUDIENCE,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
    }


@pytest.mark.requirement("9728-2-a")
def test_scopes_and_the_name_for_people_are_those_of_the_declared_resource(settings: Any) -> None:
    declared = {"SCOPES": ["orders:write", "orders:read"], "NAME": "Orders"}
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "RESOURCES": {AUDIENCE: declared}}

    document = get(f"{WELL_KNOWN}/orders").json()

    assert document["scopes_supported"] == ["orders:read", "orders:write"]
    assert document["resource_name"] == "Orders"


@pytest.mark.requirement("9728-2-c", "9728-2-d", "9728-3.2-a")
@pytest.mark.parametrize(
    ("metadata", "number"),
    [
        ({"bearer_methods_supported": ["query"]}, "E070"),
        ({"dpop_bound_access_tokens_required": True}, "E070"),
        ({"authorization_servers": ["https://evil.example"]}, "E070"),
        ({"resource": "https://evil.example"}, "E070"),
        ({"resource_signing_alg_values_supported": ["none"]}, "E002"),
        ({"signed_metadata": "eyJhbGciOiJSUzI1NiJ9.e30.AAAA"}, "E002"),
    ],
    ids=str,
)
def test_a_resource_cannot_announce_what_its_views_do_not_do(settings: Any, metadata: Any, number: str) -> None:
    before = get(f"{WELL_KNOWN}/orders").json()
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "RESOURCES": {AUDIENCE: {"METADATA": metadata}}}

    assert {message.id for message in checks.run_checks(tags=[TAG])} == {f"introspection.{number}"}
    if number == "E070":
        assert get(f"{WELL_KNOWN}/orders").json() == before


@pytest.mark.requirement("9728-2-a")
def test_a_resource_gets_further_members_by_a_setting(settings: Any) -> None:
    before, further = get(f"{WELL_KNOWN}/orders").json(), {"resource_documentation": "https://docs.example.com"}
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "RESOURCES": {AUDIENCE: {"METADATA": further}}}

    assert get(f"{WELL_KNOWN}/orders").json() == {**before, **further}
    assert checks.run_checks(tags=[TAG]) == []


def test_every_issuer_whose_tokens_are_taken_is_named(settings: Any) -> None:
    partner = REMOTE["BACKENDS"]["default"]
    partner = {**partner, "OPTIONS": {**partner["OPTIONS"], "audience": AUDIENCE}}
    elsewhere = {
        **partner,
        "OPTIONS": {**partner["OPTIONS"], "audience": "https://other.example", "issuer": "https://x.example"},
    }
    backends = {**TOKEN_INTROSPECTION["BACKENDS"], "partner": partner, "elsewhere": elsewhere}
    settings.TOKEN_INTROSPECTION = {"ISSUER": ISSUER, "BACKENDS": backends}

    assert get(f"{WELL_KNOWN}/orders").json()["authorization_servers"] == [ISSUER, "https://id.partner.example"]


@pytest.mark.requirement("9728-2-b")
def test_the_ways_to_send_a_token_are_those_that_views_of_the_resource_take(settings: Any) -> None:
    class Forms(IntrospectionAuthentication):
        bearer_methods = ("header", "body")

    urls = ModuleType("urls")
    urls.urlpatterns = [
        path("", include("django_introspection.well_known_urls")),
        path("orders", protect(authentication_classes=[Forms]).as_view()),
    ]
    with override_settings(ROOT_URLCONF=urls):
        assert get(f"{WELL_KNOWN}/orders").json()["bearer_methods_supported"] == ["header", "body"]


@pytest.mark.requirement("9728-3-a", "9728-3.1-a")
@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("https://h.example", ""),
        ("https://h.example", "/"),
        ("https://h.example/", ""),
        ("https://h.example/", "/"),
        ("https://h.example/r1", "/r1"),
        ("https://h.example/r1", "/r1/"),
        ("https://h.example/r1/", "/r1/"),
        ("https://h.example/r1/", "/r1"),
        ("https://h.example/a/b", "/a/b"),
        ("https://h.example/r1?v=2", "/r1?v=2"),
        ("https://h.example?v=2", "?v=2"),
        ("https://h.example:8443/r1", "/r1"),
        ("http://127.0.0.1:8000/r1", "/r1"),
    ],
)
def test_the_path_of_a_resource_comes_after_the_well_known_part(protect_as: Any, resource: str, path: str) -> None:
    protect_as(resource)

    assert get(WELL_KNOWN + path).json()["resource"] == resource


@pytest.mark.parametrize("path", ["", "/", "/other", "/orders/1", "/order", "/orders?v=2", "/Orders", "/%2e%2e/orders"])
def test_what_is_no_resource_has_no_document(path: str) -> None:
    response = get(WELL_KNOWN + path)

    assert response.status_code == 404
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "identifier", ["orders", "urn:example:orders", "http://api.example.com/orders", "https://h/#a"]
)
def test_an_identifier_that_is_no_https_url_has_no_document(protect_as: Any, identifier: str) -> None:
    protect_as(identifier)

    assert get(f"{WELL_KNOWN}/orders").status_code == 404
    assert get(WELL_KNOWN).status_code == 404


@pytest.mark.requirement("9728-3.1-a")
def test_it_is_asked_for_by_get_or_head() -> None:
    head = Browser().head(f"{WELL_KNOWN}/orders")

    assert (head.status_code, head.content) == (200, b"")
    assert Browser().post(f"{WELL_KNOWN}/orders").status_code == 405


@pytest.mark.requirement("9728-7.10-a")
def test_the_document_may_be_cached() -> None:
    response = get(f"{WELL_KNOWN}/orders")

    assert response["Cache-Control"] == "public, max-age=3600"
    assert "Vary" not in response


def test_the_host_of_a_request_changes_nothing(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.USE_X_FORWARDED_HOST = True
    usual = get(f"{WELL_KNOWN}/orders").content

    assert get(f"{WELL_KNOWN}/orders", Host="evil.example", X_Forwarded_Host="evil.example").content == usual


def test_of_two_hosts_with_the_same_path_each_has_its_own_document(protect_as: Any) -> None:
    protect_as("https://a.example/r", "https://b.example/r", "https://b.example/r/")

    assert get(f"{WELL_KNOWN}/r", Host="b.example").json()["resource"] == "https://b.example/r"
    assert get(f"{WELL_KNOWN}/r/", Host="b.example").json()["resource"] == "https://b.example/r/"
    assert get(f"{WELL_KNOWN}/r", Host="a.example").json()["resource"] == "https://a.example/r"
    assert get(f"{WELL_KNOWN}/r", Host="c.example").json()["resource"] == "https://a.example/r"


@pytest.mark.django_db
@pytest.mark.requirement("9728-5.1-a")
@pytest.mark.parametrize(
    "identifier",
    [AUDIENCE, "https://h.example", "https://h.example/", "https://h.example/r/", "https://h.example/r?v=2"],
)
def test_every_challenge_says_where_the_document_is_and_it_is_there(protect_as: Any, identifier: str) -> None:
    protect_as(identifier)
    weak = factories.TokenFactory(scope="other", audience=[identifier]).access_token
    view = protect(permission_classes=[requires_scope("orders:read")])
    plain = token_required(scope="orders:read")(lambda request: pytest.fail("the view was reached"))
    drf = [ask(view), ask(view, "bad"), ask(view, "a b"), ask(view, weak), ask(protect())]
    requests = [Browser().get("/").wsgi_request for _ in range(2)]
    requests[1].META["HTTP_AUTHORIZATION"] = f"Bearer {weak}"
    responses = [*drf, *map(plain, requests)]

    assert [each.status_code for each in responses] == [401, 401, 400, 403, 401, 401, 403]
    (url,) = {challenge_of(response)[1]["resource_metadata"] for response in responses}
    parts = urlsplit(url)
    assert url.startswith(identifier[:16])
    assert get(f"{parts.path}?{parts.query}".rstrip("?"), Host=parts.netloc).json()["resource"] == identifier


@pytest.mark.requirement("9728-5.1-a")
def test_the_resource_is_that_of_the_backend_of_the_view(settings: Any) -> None:
    other = {"BACKEND": OWN, "OPTIONS": {"audience": "https://h.example/invoices"}}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {**TOKEN_INTROSPECTION["BACKENDS"], "other": other}}
    invoices = protect(authentication_classes=[IntrospectionAuthentication.using("other")])

    assert challenge_of(ask(invoices))[1]["resource_metadata"] == f"https://h.example{WELL_KNOWN}/invoices"
    assert challenge_of(ask(protect()))[1]["resource_metadata"] == f"https://api.example.com{WELL_KNOWN}/orders"


A, B, SHARED = (f"https://h.example/{name}" for name in ("a", "b", "shared"))


def behind_a_router(*audiences: list[str]) -> dict[str, Any]:
    """Return settings with a backend of each audience, `one` and so on, and `default` to choose from them."""
    names = ["one", "two", "three"][: len(audiences)]
    chosen = {
        name: {"BACKEND": OWN, "OPTIONS": {"audience": audience}}
        for name, audience in zip(names, audiences, strict=True)
    }
    options = {"prefixes": {f"{name}_": name for name in names}, "default": names[:1]}
    router = {"BACKEND": "django_introspection.backends.RoutingBackend", "OPTIONS": options}
    return {"ISSUER": ISSUER, "BACKENDS": {"default": router, **chosen}}


@pytest.mark.django_db
@pytest.mark.requirement("9728-5.1-a")
@pytest.mark.parametrize(
    ("audiences", "resource"),
    [
        pytest.param([[A, SHARED], [B, SHARED]], "shared", id="the one that all share"),
        pytest.param([[B], [A]], "b", id="the first of the first"),
        pytest.param([["urn:b"], [A]], "a", id="the first that there is"),
        pytest.param([["urn:b"], ["urn:a"]], None, id="none"),
    ],
)
def test_a_challenge_behind_a_router_names_a_resource_of_the_backends_to_choose_from(
    audiences: list[list[str]], resource: str | None, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = behind_a_router(*audiences)
    parameters = challenge_of(ask(protect()))[1]

    assert parameters.get("resource_metadata") == (resource and f"https://h.example{WELL_KNOWN}/{resource}")


@pytest.mark.django_db
def test_an_invalid_token_hears_of_the_resource_of_its_own_backend(settings: Any) -> None:
    """Its client gets the next token from the server of this one, and from no other."""
    settings.TOKEN_INTROSPECTION = behind_a_router([A], [B])

    for token, resource in (("one_x", "a"), ("two_x", "b"), ("other", "a"), (None, "a")):
        parameters = challenge_of(ask(protect(), token))[1]
        assert parameters["resource_metadata"] == f"https://h.example{WELL_KNOWN}/{resource}"


@pytest.mark.requirement("9728-2-b", "9728-2-c")
def test_the_document_has_the_ways_of_views_that_ask_by_a_router(settings: Any) -> None:
    class ProvenForms(IntrospectionAuthentication):
        bearer_methods = ("header", "body")
        schemes = ("DPoP",)

    settings.TOKEN_INTROSPECTION = behind_a_router([A], [B])
    settings.ALLOWED_HOSTS = ["*"]
    urls = ModuleType("urls")
    urls.urlpatterns = [
        path("", include("django_introspection.well_known_urls")),
        path("orders", protect(authentication_classes=[ProvenForms]).as_view()),
    ]
    with override_settings(ROOT_URLCONF=urls):
        for name in "ab":
            document = get(f"{WELL_KNOWN}/{name}").json()
            assert document["bearer_methods_supported"] == ["header", "body"]
            assert document["dpop_bound_access_tokens_required"] is True
            assert document["authorization_servers"] == [ISSUER]


@pytest.mark.parametrize("prefix", [None, "elsewhere/"])
def test_no_challenge_names_a_document_that_is_not_served(prefix: str | None) -> None:
    urls = ModuleType("urls")
    urls.urlpatterns = [] if prefix is None else [path(prefix, include("django_introspection.well_known_urls"))]
    with override_settings(ROOT_URLCONF=urls):
        assert challenge_of(ask(protect()))[1].keys() == {"realm"}


def test_a_script_name_stands_in_no_identifier(settings: Any) -> None:
    settings.FORCE_SCRIPT_NAME = "/shop"
    response = Browser().get("/whoami")

    assert challenge_of(response)[1]["resource_metadata"] == f"https://api.example.com{WELL_KNOWN}/orders"


def test_a_backend_that_cannot_be_made_is_challenged_for_without_its_resource(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {}}

    assert challenge_of(ask(protect()))[1].keys() == {"realm"}


def test_no_resource_is_no_challenge_parameter(protect_as: Any) -> None:
    protect_as("orders")

    assert challenge_of(ask(protect(), "dit_at_garbage"))[1].keys() == {"realm", "error", "error_description"}


@pytest.mark.requirement("9728-1.2-a")
@pytest.mark.parametrize(
    ("identifiers", "said"),
    [
        (["https://h.example/r"], []),
        (["https://h.example/r#a"], ["W013", "W014"]),
        (["https://h.example/r?v=2"], ["W014"]),
        (["http://h.example/r"], ["W013", "W014"]),
        (["orders"], ["W013"]),
        (["orders", "https://h.example/r"], []),
        ([], ["W005"]),
    ],
)
def test_an_identifier_that_cannot_be_a_resource_is_named_by_a_check(
    protect_as: Any, identifiers: list[str], said: list[str]
) -> None:
    protect_as(*identifiers)

    assert sorted(str(each.id) for each in checks.run_checks(tags=[TAG])) == [f"{TAG}.{number}" for number in said]


@pytest.mark.processes
@pytest.mark.requirement("9728-3-a", "9728-5.1-a")
def test_a_resource_server_without_tables_serves_it_too() -> None:
    """And no document of an authorization server, which it is not."""
    challenge, document, other = map(
        json.loads,
        run_module("tests.projects.resource_only.metadata", "tests.projects.resource_only.with_metadata").splitlines(),
    )

    assert f'resource_metadata="https://api.example.com{WELL_KNOWN}/orders"' in challenge
    assert document == {
        "resource": AUDIENCE,
        "authorization_servers": ["https://auth.example.com"],
        "bearer_methods_supported": ["header"],
    }
    assert other == 404
