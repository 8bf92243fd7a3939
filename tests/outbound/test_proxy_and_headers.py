"""The options `proxy` and `headers`: how a server behind a proxy, or at an internal address, is reached."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from tests.misbehaving.server import CERTIFICATE, PATH, MisbehavingServer, refusing_url, remote_settings
from tests.outbound.proxies import Proxy

CALLS = [introspect, async_to_sync(aintrospect)]
SECRET = "pr0xy-secret"


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as running:
        yield running


def configure(settings: Any, server: MisbehavingServer, **options: Any) -> None:
    settings.TOKEN_INTROSPECTION = server.settings(**options)


@pytest.mark.parametrize("call", CALLS, ids=["sync", "async"])
@pytest.mark.parametrize("credentials", ["", f"user:{SECRET}@"], ids=["open", "with credentials"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_the_server_is_asked_through_the_proxy(
    settings: Any, proxy: Proxy, call: Any, credentials: str, tls: bool
) -> None:
    with MisbehavingServer(tls=tls) as server:
        verify = {"verify": CERTIFICATE} if tls else {}
        configure(settings, server, proxy=f"http://{credentials}{proxy.address}", **verify)

        assert call("a-token")

        place = server.origin.partition("//")[2] if tls else f"{server.origin}{PATH}"
        expected = f"Basic {b64encode(f'user:{SECRET}'.encode()).decode()}" if credentials else None
        assert proxy.requests == [("CONNECT" if tls else "POST", place, expected)]
        assert [request.headers.get("Proxy-Authorization") for request in server.requests] == [None]


@pytest.mark.parametrize("call", CALLS, ids=["sync", "async"])
def test_headers_go_with_every_request_and_host_takes_the_place_of_the_usual_one(settings: Any, call: Any) -> None:
    with MisbehavingServer() as server:
        configure(settings, server, headers={"host": "id.example.com", "X-Tenant": "one"})

        assert call("a-token")

        (request,) = server.requests
        assert request.headers.get_all("Host") == ["id.example.com"]
        assert request.headers["X-Tenant"] == "one"
        assert request.headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("call", CALLS, ids=["sync", "async"])
@pytest.mark.parametrize("through_proxy", [False, True], ids=["direct", "proxy"])
def test_a_server_that_is_down_is_named_without_credentials_and_query(
    settings: Any, through_proxy: bool, call: Any
) -> None:
    with refusing_url() as url:
        place = urlsplit(url).netloc
        options = {"proxy": f"http://user:{SECRET}@{place}"} if through_proxy else {}
        target = "https://id.example.com:8443/introspect" if through_proxy else url
        settings.TOKEN_INTROSPECTION = remote_settings(f"{target}?tenant={SECRET}", **options)

        with pytest.raises(IntrospectionUnavailable) as raised:
            call("a-token")

    reached = f"id.example.com:8443 cannot be reached through the proxy {place}" if through_proxy else f"{place} cannot"
    assert str(raised.value).startswith(reached)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("call", CALLS, ids=["sync", "async"])
def test_a_proxy_that_refuses_to_connect_is_an_outage(settings: Any, call: Any) -> None:
    with MisbehavingServer() as proxy:  # which knows no CONNECT
        settings.TOKEN_INTROSPECTION = remote_settings("https://id.example.com/introspect", proxy=proxy.origin)

        with pytest.raises(IntrospectionUnavailable, match=r"ProxyError 501$"):
            call("a-token")


@pytest.mark.parametrize("call", CALLS, ids=["sync", "async"])
def test_the_reason_why_no_connection_came_about_is_named(settings: Any, call: Any) -> None:
    with MisbehavingServer(tls=True) as server:
        configure(settings, server)
        with pytest.raises(IntrospectionUnavailable, match=r"ConnectError \(SSLCertVerificationError\)$"):
            call("a-token")

    settings.TOKEN_INTROSPECTION = remote_settings("https://no-such-host.invalid/introspect")
    with pytest.raises(IntrospectionUnavailable, match=r"ConnectError \(gaierror\)$"):
        call("a-token")


WRONG: dict[str, dict[str, Any]] = {
    "proxy without a host": {"proxy": "http://"},
    "proxy of another kind": {"proxy": f"ftp://{SECRET}@proxy.example"},
    "proxy with a path": {"proxy": f"http://user:{SECRET}@proxy.example/path"},
    "proxy with a space": {"proxy": f"http://proxy.example/{SECRET} "},
    "proxy number": {"proxy": 8080},
    "headers list": {"headers": [SECRET]},
    "header without a value": {"headers": {"X-Tenant": ""}},
    "header number": {"headers": {"X-Tenant": 1}},
    "header with a line break": {"headers": {"X-Tenant": f"one\r\nX-Other: {SECRET}"}},
    "header that is no name": {"headers": {"X Tenant:": SECRET}},
    "header with credentials": {"headers": {"Authorization": SECRET}},
    "header of the body": {"headers": {"content-type": SECRET}},
}


@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG)
def test_a_wrong_option_is_an_error_that_names_the_place_and_not_the_value(
    settings: Any, options: dict[str, Any]
) -> None:
    with MisbehavingServer() as server:
        configure(settings, server, **options)

    with pytest.raises(InvalidBackend) as caught:
        token_backends["default"]

    assert f"['OPTIONS'][{next(iter(options))!r}]" in str(caught.value)
    assert SECRET not in str(caught.value)
