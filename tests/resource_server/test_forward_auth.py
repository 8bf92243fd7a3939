"""The view that a reverse proxy asks about requests, which it describes in headers or passes on below a prefix."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

import pytest
from django.test import Client as Browser
from django.test import override_settings
from django.urls import path

from django_introspection.forward_auth import verify
from django_introspection.resource_server.protected_views import ways_of
from tests import factories, jose
from tests.misbehaving.server import MisbehavingServer
from tests.settings import AUDIENCE

from .protected import TOKEN, assert_refused, challenge_of

PATHS = {
    "/orders/": {"SCOPE": "orders:read", "WRITE_SCOPE": "orders:write"},
    "/orders/public/": {},
    "/invoices/": {"SCOPE": "invoices:read"},
}
urls = ModuleType("urls")
urls.urlpatterns = [
    path("verify/", verify(scope="orders:read")),
    path("paths/", verify(scope="everything", paths=PATHS)),
    path("envoy<path:original>", verify(scope="everything", paths=PATHS)),
    path("dpop/", verify(schemes=("DPoP",))),
    path("stepped/", verify(paths={"/orders/": {"MAX_AGE": 300}})),
]


@pytest.fixture
def remote(authorization_server: MisbehavingServer, settings: Any) -> MisbehavingServer:
    settings.TOKEN_INTROSPECTION = authorization_server.settings()
    settings.ROOT_URLCONF = urls
    authorization_server.behave("active", sub="42", client_id="shop", scope="orders:write orders:read")
    return authorization_server


def asked(
    view: str = "/verify/", token: str | None = TOKEN, method: str = "GET", uri: str = "/orders/1", **more: str
) -> Any:
    headers = {"X-Forwarded-Method": method, "X-Forwarded-Uri": uri, **more}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return Browser(enforce_csrf_checks=True).get(view, headers=headers)


def test_an_accepted_token_tells_the_proxy_whose_it_is(remote: MisbehavingServer) -> None:
    response = asked()

    assert (response.status_code, response.content) == (200, b"")
    assert response["X-Auth-Subject"] == "42"
    assert response["X-Auth-Client"] == "shop"
    assert response["X-Auth-Scope"] == "orders:read orders:write"
    assert response["X-Auth-Issuer"] == "alias:default"
    assert response["Cache-Control"] == "private, no-store"
    assert response["Vary"] == "Authorization"


def test_a_name_for_people_is_no_subject(remote: MisbehavingServer) -> None:
    """Another user may choose it."""
    remote.behave("active", sub=None, username="42", client_id="shop", scope="orders:read")

    assert asked()["X-Auth-Subject"] == ""


def test_a_header_that_the_client_sent_comes_back_never(remote: MisbehavingServer) -> None:
    remote.behave("active", sub=None, client_id="shop", scope="orders:read")

    response = asked(**{"X-Auth-Subject": "admin", "X-Auth-Scope": "everything"})

    assert (response["X-Auth-Subject"], response["X-Auth-Scope"]) == ("", "orders:read")


@pytest.mark.parametrize(
    ("sub", "sent"),
    [
        ("a\r\nX-Auth-Scope: all", "a%0D%0AX-Auth-Scope:%20all"),
        ("ä", "%C3%A4"),
        ("%C3%A4", "%25C3%25A4"),
        ("a|b@example.com", "a|b@example.com"),
        (" 42", "%2042"),
        ("42 ", "42%20"),
        ("4 2", "4%202"),
    ],
)
def test_every_subject_has_a_form_of_its_own_in_the_header(remote: MisbehavingServer, sub: str, sent: str) -> None:
    remote.behave("active", sub=sub, scope="orders:read")

    assert asked()["X-Auth-Subject"] == sent


def test_each_refusal_has_the_status_and_the_challenge_of_its_cause(remote: MisbehavingServer) -> None:
    assert_refused(asked(token=None), 401, None)
    assert_refused(asked(token="a b"), 400, "invalid_request")
    remote.behave("active", scope="other")
    weak = asked()
    assert_refused(weak, 403, "insufficient_scope")
    assert challenge_of(weak)[1]["scope"] == "orders:read"
    remote.behave("inactive")
    assert_refused(asked(), 401, "invalid_token")


def test_a_path_may_ask_for_a_recent_login(remote: MisbehavingServer) -> None:
    now = int(time.time())

    remote.behave("active", auth_time=now - 3600)
    old = asked("/stepped/")
    assert_refused(old, 401, "insufficient_user_authentication")
    assert challenge_of(old)[1]["max_age"] == "300"
    assert not [name for name in old.headers if name.startswith("X-Auth")]
    assert asked("/stepped/", uri="/invoices/").status_code == 200
    remote.behave("active", auth_time=now - 10)
    assert asked("/stepped/").status_code == 200


def test_a_token_that_cannot_be_checked_opens_nothing(remote: MisbehavingServer) -> None:
    remote.behave("status 500")

    response = asked()

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert not [name for name in response.headers if name.startswith("X-Auth")]


@pytest.mark.parametrize(
    ("method", "uri"),
    [("", "/orders/"), ("GET", ""), ("GET", "orders"), ("GET", "https://evil.example/orders"), ("G T", "/orders")],
)
def test_a_proxy_that_does_not_describe_the_request_is_refused(
    remote: MisbehavingServer, caplog: Any, method: str, uri: str
) -> None:
    assert_refused(asked(method=method, uri=uri), 400, "invalid_request")
    assert "X-Forwarded-Uri" in caplog.text


def test_a_token_in_the_query_of_the_original_request_is_refused(remote: MisbehavingServer) -> None:
    assert_refused(asked(uri="/orders/1?access_token=x"), 400, "invalid_request")


@pytest.mark.parametrize("scheme", ["headers", "path"])
@pytest.mark.parametrize(
    ("method", "uri", "scope", "status"),
    [
        ("GET", "/orders/1?page=2", "orders:read", 200),
        ("HEAD", "/orders/1", "orders:read", 200),
        ("POST", "/orders/1", "orders:read", 403),
        ("DELETE", "/orders/1", "orders:write", 200),
        ("GET", "/orders/1", "orders:write", 403),
        ("GET", "/ORDERS/1", "invoices:read", 400),
        ("DELETE", "/orders/PUBLIC", "", 400),
        ("DELETE", "/orders/PUBLIC/1", "orders:write", 400),
        ("GET", "/orders/public/1", "", 200),
        ("GET", "/invoices", "invoices:read", 200),
        ("GET", "/invoices/../orders/1", "invoices:read", 400),
        ("GET", "/orders/public/%2e%2e/1", "", 400),
        ("GET", "/else", "orders:read", 403),
        ("GET", "/else", "everything", 200),
    ],
)
def test_the_original_path_and_method_choose_the_scope(
    remote: MisbehavingServer, scheme: str, method: str, uri: str, scope: str, status: int
) -> None:
    remote.behave("active", sub="42", scope=scope)
    if scheme == "headers":
        response = asked("/paths/", method=method, uri=uri)
    else:
        target, _, query = uri.partition("?")
        # The test client would read the path as a URL and decode it another time.
        response = Browser(enforce_csrf_checks=True).generic(
            method,
            "/",
            headers={"Authorization": f"Bearer {TOKEN}", "X-Forwarded-Uri": "/orders/public/"},
            PATH_INFO=f"/envoy{target.replace('%2e', '.')}",
            QUERY_STRING=query,
        )

    assert response.status_code == status


@pytest.mark.parametrize(
    "uri",
    ["/orders/public%2F1", "/orders/public%2f../1", "/orders/public%5C1", "/orders%2Fpublic/1", "/%6Frders%2F1"],
)
def test_an_encoded_slash_that_changes_the_rule_is_refused(remote: MisbehavingServer, uri: str) -> None:
    """Many programs keep such a slash inside a segment, and so run the view of /orders/<id>."""
    remote.behave("active", sub="42", scope="everything")

    assert_refused(asked("/paths/", method="DELETE", uri=uri), 400, "invalid_request")


def test_an_encoded_slash_that_changes_no_rule_is_accepted(remote: MisbehavingServer) -> None:
    assert asked("/paths/", uri="/orders/a%2Fb%5Cc").status_code == 200
    assert asked("/paths/", uri="/orders/public/a%2Fb").status_code == 200


def test_a_query_may_have_any_number_of_parameters(remote: MisbehavingServer, mailoutbox: Any, settings: Any) -> None:
    settings.ADMINS, settings.DEBUG = ["admin@example.com"], False
    many = "&".join(["a=1"] * 1001)

    assert asked(uri=f"/orders/1?{many}").status_code == 200
    assert asked(uri=f"/orders/1?{many}", token=None).status_code == 401
    assert_refused(asked(uri=f"/orders/1?{many}&access_token=x"), 400, "invalid_request")
    assert mailoutbox == []


@pytest.mark.parametrize("method", ["VERSION-CONTROL", "FOO-BAR", "M1"])
def test_every_method_of_http_is_known(remote: MisbehavingServer, caplog: Any, method: str) -> None:
    assert asked(method=method).status_code == 200
    assert "X-Forwarded" not in caplog.text


def test_a_login_is_not_asked_for(remote: MisbehavingServer, settings: Any) -> None:
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]

    assert asked().status_code == 200
    assert asked(token=None).status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("prefix", [None, "/auth"], ids=["", "behind a prefix"])
def test_a_proof_is_for_the_method_and_the_uri_of_the_original_request(settings: Any, prefix: str | None) -> None:
    settings.ROOT_URLCONF, settings.FORCE_SCRIPT_NAME = urls, prefix
    token = factories.TokenFactory(members={"cnf": {"jkt": jose.thumbprint("ES256", "one")}}).access_token

    def ask(**changes: Any) -> Any:
        proof = jose.proof(token, AUDIENCE, **changes)
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        given = {"X-Forwarded-Method": "POST", "X-Forwarded-Uri": "/orders?page=2"}
        return Browser().get("/dpop/", headers={**headers, **given})

    assert ask(htm="POST").status_code == 200
    assert ask(htm="GET").status_code == 401
    assert ask(htm="POST", htu="https://api.example.com/dpop/").status_code == 401


def test_a_path_counts_in_the_metadata_of_its_backend() -> None:
    """RFC 9728 §2: `dpop_bound_access_tokens_required` is false if one path takes bearer tokens."""
    urls_of_paths = ModuleType("urls_of_paths")
    paths = {"/orders/": {"SCHEMES": ["DPoP"]}, "/invoices/": {"SCHEMES": ["Bearer"]}}
    urls_of_paths.urlpatterns = [path("verify/", verify(schemes=("DPoP",), paths=paths))]
    with override_settings(ROOT_URLCONF=urls_of_paths):
        assert ways_of(["default"])[1] == {"DPoP", "Bearer"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"scope": "a  b"},
        {"schemes": ("Basic",)},
        {"paths": {"orders": {}}},
        {"paths": {"/orders": {"SCOPES": "x"}}},
        {"paths": {"/orders": {"USING": "missing"}}},
        {"paths": {"/orders": {"WRITE_SCOPE": 1}}},
    ],
)
def test_what_cannot_protect_is_refused_when_the_urls_are_imported(arguments: Any) -> None:
    with pytest.raises(ValueError, match=r"scope|schemes|paths"):
        verify(**arguments)
