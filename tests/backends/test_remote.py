"""What a resource server sends to an authorization server, and what it does not (RFC 7662 §2.1)."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import unquote_plus

import pytest
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.exceptions import InvalidBackend
from tests.misbehaving.server import CLIENT_ID, CLIENT_SECRET, PATH, MisbehavingServer, remote_settings
from tests.resource_server.protected import ask, protect

TOKEN = "abc.DEF-123_~+/=="

CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])


@pytest.mark.requirement("7662-2.1-l", "7662-2.1-m")
@CALLS
def test_the_request_is_a_form_with_the_token_in_the_body(call: Any, authorization_server: MisbehavingServer) -> None:
    call(TOKEN)

    (request,) = authorization_server.requests
    assert request.method == "POST"
    assert request.path == PATH
    assert request.form == {"token": [TOKEN], "token_type_hint": ["access_token"]}
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Accept-Encoding"] == "identity"
    assert request.headers["Authorization"] == f"Basic {_basic(CLIENT_ID, CLIENT_SECRET.replace(' ', '+'))}"
    assert TOKEN not in str(request.headers)


def _basic(client_id: str, client_secret: str) -> str:
    return base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()


@pytest.mark.requirement("7662-2.1-l")
def test_nothing_of_the_request_from_outside_is_passed_on(authorization_server: MisbehavingServer) -> None:
    ask(
        protect(),
        headers={"Authorization": f"bearer {TOKEN}", "X-Request-Id": "outside", "User-Agent": "outside"},
        cookies={"session": "outside"},
        path="/orders?q=outside",
    )

    (request,) = authorization_server.requests
    assert "outside" not in str(request.headers) + request.path + str(request.form)
    assert request.headers["Authorization"].startswith("Basic ")
    assert "Cookie" not in request.headers


@CALLS
@pytest.mark.parametrize(
    ("own", "encoded"),
    [
        (("a:b", "p%+ \u00e9"), "a%3Ab:p%25%2B+%C3%A9"),
        (("\u00e9t\u00e9", ":"), "%C3%A9t%C3%A9:%3A"),
        (("plain", "plain-._~"), "plain:plain-._~"),
        (("https://rs.example/?a=b&c", "=&"), "https%3A%2F%2Frs.example%2F%3Fa%3Db%26c:%3D%26"),
    ],
)
def test_both_halves_of_basic_are_form_encoded_first(
    call: Any, own: tuple[str, str], encoded: str, authorization_server: MisbehavingServer, settings: Any
) -> None:
    """The expected values are written out after RFC 6749 §2.3.1 and appendix B."""
    settings.TOKEN_INTROSPECTION = authorization_server.settings(client_id=own[0], client_secret=own[1])

    call(TOKEN)

    (request,) = authorization_server.requests
    sent = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
    assert sent == encoded
    assert [unquote_plus(half) for half in sent.split(":", 1)] == list(own)
    assert request.form.keys() == {"token", "token_type_hint"}


@CALLS
def test_a_secret_may_go_in_the_body_instead(call: Any, authorization_server: MisbehavingServer, settings: Any) -> None:
    odd = {"client_id": "a:b", "client_secret": "p%+ &=\u00e9"}
    settings.TOKEN_INTROSPECTION = authorization_server.settings(auth_method="client_secret_post", **odd)

    call(TOKEN)

    (request,) = authorization_server.requests
    assert "Authorization" not in request.headers
    assert request.form == {
        "token": [TOKEN],
        "token_type_hint": ["access_token"],
        "client_id": ["a:b"],
        "client_secret": ["p%+ &=\u00e9"],
    }


@CALLS
def test_nothing_is_sent_to_an_endpoint_that_authenticates_no_one(
    call: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    options = {"introspection_url": authorization_server.url, "auth_method": "none"}
    backend = {"BACKEND": "django_introspection.backends.RemoteBackend", "OPTIONS": options}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": backend}}

    assert call(TOKEN)

    (request,) = authorization_server.requests
    assert "Authorization" not in request.headers
    assert request.form == {"token": [TOKEN], "token_type_hint": ["access_token"]}


@CALLS
def test_the_query_of_the_configured_url_is_kept_and_nothing_is_added(
    call: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = remote_settings(f"{authorization_server.url}?realm=a%20b")

    call(TOKEN)

    assert authorization_server.requests[0].path == f"{PATH}?realm=a%20b"


def test_a_token_of_any_characters_arrives_as_it_is(authorization_server: MisbehavingServer) -> None:
    odd = "caf\u00e9 &token=other%00+\u2603"

    introspect(odd)

    assert authorization_server.requests[0].form["token"] == [odd]


@pytest.mark.parametrize("token", ["", "a\nb", "a\x00b", "\ud800", "dit_at_x", "dit_cs_" + "0" * 49])
@CALLS
def test_what_cannot_be_a_token_is_never_sent(call: Any, token: str, authorization_server: MisbehavingServer) -> None:
    assert call(token) is None
    assert authorization_server.connections == 0


@pytest.mark.parametrize("prefix", ["app_at_", ["app_at_", "eyJ"], ("eyJ", "app_at_")])
@CALLS
def test_only_a_token_with_a_prefix_of_access_tokens_is_sent(
    call: Any, prefix: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(token_prefix=prefix)

    assert [call(token) for token in ("app_rt_1", "APP_AT_1", "app_at", "xapp_at_1")] == [None] * 4
    assert authorization_server.connections == 0
    assert call("app_at_1")
    assert [request.form["token"] for request in authorization_server.requests] == [["app_at_1"]]


def test_the_log_names_the_prefix_that_is_missing_and_not_the_token(
    authorization_server: MisbehavingServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(token_prefix="app_at_")
    caplog.set_level("INFO")

    assert ask(protect(), "app_rt_secret").status_code == 401

    assert "expected a token that begins with 'app_at_'" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.requirement("7662-4-j")
@pytest.mark.parametrize(
    "url",
    [
        "http://auth.example.com/introspect",
        "http://127.0.0.1.example.com/introspect",
        "http://localhost.example.com/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://[2001:db8::1]/",
        "http://127.0.0.1@auth.example.com/",
        "https://user:password@auth.example.com/introspect",
        "ftp://127.0.0.1/introspect",
        "//127.0.0.1/introspect",
        "127.0.0.1:8000",
        "https://",
        "https://[::1",
        "https://auth.example.com:port/",
        "https://auth.example.com:99999/",
    ],
)
def test_plain_http_and_broken_urls_are_refused_at_the_start(url: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = remote_settings(url)

    with pytest.raises(InvalidBackend, match=r"\['default'\]\['OPTIONS'\]\['introspection_url'\]") as raised:
        token_backends["default"]

    assert "password" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://127.8.9.1:8000/x", "http://[::1]/", "http://localhost:1/"]
)
def test_plain_http_may_go_to_this_machine(url: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = remote_settings(url)

    assert token_backends["default"].alias == "default"


def test_plain_http_elsewhere_must_be_asked_for(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = remote_settings("http://auth.internal/introspect", insecure_http=True)

    assert token_backends["default"].alias == "default"
