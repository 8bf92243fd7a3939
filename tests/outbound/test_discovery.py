"""Endpoints found by the word of the issuer (RFC 8414, OpenID Connect Discovery)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from django_introspection.outbound import discovery
from django_introspection.outbound.deadline import deadline
from django_introspection.outbound.discovery import Discovery, metadata_urls
from django_introspection.outbound.messages import Reply, Request
from django_introspection.outbound.steps import Steps, run
from django_introspection.outbound.transport import Transport
from tests import certificates
from tests.misbehaving.behaviours import BROKEN
from tests.misbehaving.server import PATH, MisbehavingServer, remote_settings
from tests.outbound import renewals

TOKEN = "some-token"
OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])


@pytest.fixture
def issuer(authorization_server: MisbehavingServer, settings: Any) -> str:
    """The issuer, whose metadata is nowhere yet."""
    settings.TOKEN_INTROSPECTION = discovering(authorization_server.origin)
    authorization_server.behave("status", at=OAUTH, code=404)
    authorization_server.behave("status", at=OPENID, code=404)
    return authorization_server.origin


def discovering(issuer: str, **options: Any) -> Any:
    values = remote_settings("", issuer=issuer, **options)
    del values["BACKENDS"]["default"]["OPTIONS"]["introspection_url"]
    return values


def publish(server: MisbehavingServer, at: str, **members: Any) -> None:
    document = {"issuer": server.origin, "introspection_endpoint": server.url, **members}
    server.behave("json", at=at, **{name: value for name, value in document.items() if value is not None})


@CALLS
@pytest.mark.parametrize("place", [OAUTH, OPENID])
def test_the_endpoint_is_found_in_either_document_and_looked_for_once(
    call: Any, place: str, issuer: str, authorization_server: MisbehavingServer
) -> None:
    publish(authorization_server, place)

    for _ in range(3):
        assert call(TOKEN)

    assert len(authorization_server.requests_at(place)) == 1
    assert len(authorization_server.requests_at(PATH)) == 3


@pytest.mark.parametrize(
    ("issuer", "urls"),
    [
        ("https://a.example", ("https://a.example" + OAUTH, "https://a.example" + OPENID)),
        ("https://a.example/", ("https://a.example" + OAUTH, "https://a.example" + OPENID)),
        (
            "https://a.example:8443/t/1",
            (
                f"https://a.example:8443{OAUTH}/t/1",
                f"https://a.example:8443/t/1{OPENID}",
                f"https://a.example:8443{OPENID}/t/1",
            ),
        ),
        (
            "https://a.example/t/1/",
            (f"https://a.example{OAUTH}/t/1", f"https://a.example/t/1{OPENID}", f"https://a.example{OPENID}/t/1"),
        ),
    ],
)
def test_the_places_follow_from_the_issuer(issuer: str, urls: tuple[str, ...]) -> None:
    assert metadata_urls(issuer) == urls


@CALLS
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("place", [f"{OAUTH}/t/1", f"/t/1{OPENID}", f"{OPENID}/t/1"])
def test_every_place_of_an_issuer_with_a_path_is_tried(
    call: Any, place: str, slash: str, authorization_server: MisbehavingServer, settings: Any
) -> None:
    issuer = f"{authorization_server.origin}/t/1{slash}"
    settings.TOKEN_INTROSPECTION = discovering(issuer)
    places = [f"{OAUTH}/t/1", f"/t/1{OPENID}", f"{OPENID}/t/1"]
    for each in places:
        authorization_server.behave("status", at=each, code=404)
    publish(authorization_server, place, issuer=issuer)

    for _ in range(2):
        assert call(TOKEN)

    tried = places[: places.index(place) + 1]
    assert [request.path for request in authorization_server.requests] == [*tried, PATH, PATH]


def test_an_issuer_that_is_a_host_with_a_slash_is_found(authorization_server: MisbehavingServer, settings: Any) -> None:
    issuer = f"{authorization_server.origin}/"
    settings.TOKEN_INTROSPECTION = discovering(issuer)
    authorization_server.behave("status", at=OAUTH, code=404)
    publish(authorization_server, OPENID, issuer=issuer)

    assert introspect(TOKEN)

    assert [request.path for request in authorization_server.requests] == [OAUTH, OPENID, PATH]


SOMETHING_ELSE: dict[str, tuple[str, dict[str, Any], str]] = {
    **{
        f"status {code}": ("status", {"code": code}, f"status {code}")
        for code in (302, 307, 400, 401, 403, 404, 410, 421, 429, 500, 501, 502, 503)
    },
    "busy": ("status", {"code": 503, "headers": ("Retry-After: 9",)}, "status 503"),
    "HTML": ("body", {"content": b"<!doctype html>", "content_type": "text/html"}, "the document is not JSON"),
    "list": ("body", {"content": b"[]"}, "the document is not a JSON object"),
    "another issuer": (
        "json",
        {"issuer": "https://other.example"},
        "the document is that of another issuer, 'https://other.example'",
    ),
    "packed": ("plain body that claims to be packed", {}, "the document is encoded although identity was asked"),
    "huge": ("body over the limit", {}, "the response is too large"),
}


@CALLS
@pytest.mark.parametrize(("behaviour", "arguments", "said"), SOMETHING_ELSE.values(), ids=SOMETHING_ELSE)
def test_a_place_that_answers_something_else_does_not_hide_the_document(
    call: Any, behaviour: str, arguments: Any, said: str, issuer: str, authorization_server: MisbehavingServer
) -> None:
    authorization_server.behave(behaviour, at=OAUTH, **arguments)
    publish(authorization_server, OPENID)

    assert call(TOKEN)

    assert len(authorization_server.requests_at(OAUTH)) <= 2, "a server that may be restarting is tried once more"
    assert len(authorization_server.requests_at(OPENID)) == 1


@pytest.mark.parametrize(("behaviour", "arguments", "said"), SOMETHING_ELSE.values(), ids=SOMETHING_ELSE)
def test_the_error_names_what_each_place_answered(
    behaviour: str, arguments: Any, said: str, issuer: str, authorization_server: MisbehavingServer
) -> None:
    authorization_server.behave(behaviour, at=OAUTH, **arguments)

    with pytest.raises(IntrospectionUnavailable) as raised:
        introspect(TOKEN)

    assert str(raised.value) == (
        f"no introspection_endpoint is found in the metadata of the issuer: {issuer}{OAUTH}: {said}; "
        f"{issuer}{OPENID}: status 404"
    )


@pytest.mark.parametrize("endpoint", [None, 7, "http://auth.example.com/introspect"])
def test_a_document_without_a_usable_endpoint_does_not_hide_the_other(
    endpoint: Any, issuer: str, authorization_server: MisbehavingServer
) -> None:
    publish(authorization_server, OAUTH, introspection_endpoint=endpoint)
    publish(authorization_server, OPENID)

    assert introspect(TOKEN)


def test_the_first_document_that_names_an_endpoint_counts(
    issuer: str, authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = discovering(issuer, auth_method="client_credentials")
    publish(authorization_server, OAUTH)
    elsewhere = {"introspection_endpoint": f"{issuer}/elsewhere", "token_endpoint": f"{issuer}/token"}
    publish(authorization_server, OPENID, **elsewhere)
    authorization_server.behave("json", at="/token", access_token="own", token_type="Bearer", expires_in=600)

    for _ in range(3):
        assert introspect(TOKEN)

    paths = [request.path for request in authorization_server.requests]
    assert paths == [OAUTH, OAUTH, OPENID, "/token", PATH, PATH, PATH]


@pytest.mark.parametrize("behaviour", ["closes before the answer", "resets in the middle of the body", "not HTTP"])
def test_a_failed_connection_ends_the_search(
    behaviour: str, issuer: str, authorization_server: MisbehavingServer
) -> None:
    authorization_server.behave(behaviour, at=OAUTH)
    publish(authorization_server, OPENID)

    with pytest.raises(IntrospectionUnavailable, match="cannot be reached"):
        introspect(TOKEN)

    assert authorization_server.requests_at(OPENID) == []


@pytest.mark.requirement("8414-3.3-a")
@pytest.mark.parametrize("named", ["https://other.example.com", "{}/", "", None, 7])
def test_the_document_of_another_issuer_is_not_used(
    named: Any, issuer: str, authorization_server: MisbehavingServer
) -> None:
    publish(authorization_server, OAUTH, issuer=named.format(issuer) if isinstance(named, str) else named)

    with pytest.raises(IntrospectionUnavailable):
        introspect(TOKEN)

    assert authorization_server.requests_at(PATH) == []


@pytest.mark.parametrize(
    "url", ["http://auth.example.com/introspect", "//x", "introspect", 7, "https://a:b@c.example/"]
)
def test_an_endpoint_that_tokens_must_not_be_sent_to_is_not_used(
    url: Any, issuer: str, authorization_server: MisbehavingServer
) -> None:
    publish(authorization_server, OAUTH, introspection_endpoint=url)

    with pytest.raises(IntrospectionUnavailable, match="introspection_endpoint"):
        introspect(TOKEN)


class OneDocument(Transport):
    """A transport for an issuer on another machine, which every test here lacks."""

    def __init__(self, **document: Any) -> None:
        self._body = json.dumps(document).encode()

    def exchange(self, request: Callable[[], Request]) -> Steps[Reply]:
        yield from ()
        return Reply(200, {"content-type": "application/json"}, self._body, request().url)


@pytest.mark.parametrize(
    ("url", "insecure_http", "is_used"),
    [
        ("http://127.0.0.1:9200/_all", False, False),
        ("http://localhost:8001/x", False, False),
        ("https://[::1]/x", False, False),
        ("https://0.0.0.0:8443/x", False, False),
        ("https://localhost./x", False, False),
        ("http://127.0.0.1:9200/x", True, True),
        ("https://other.example/x", False, True),
    ],
)
def test_an_issuer_elsewhere_leads_to_no_service_of_this_machine(url: str, insecure_http: bool, is_used: bool) -> None:
    issuer = "https://tenant.example"
    transport = OneDocument(issuer=issuer, jwks_uri=url)
    discovery = Discovery(issuer, transport, insecure_http=insecure_http, has_certificate=False)

    with deadline(5):
        if is_used:
            assert run(discovery.endpoint("jwks_uri")) == url
        else:
            with pytest.raises(IntrospectionUnavailable, match="loopback"):
                run(discovery.endpoint("jwks_uri"))


@pytest.mark.requirement("7662-2.3-d")
@pytest.mark.parametrize("behaviour", BROKEN)
def test_a_broken_document_is_503(behaviour: str, issuer: str, authorization_server: MisbehavingServer) -> None:
    authorization_server.behave(behaviour, at=OAUTH)
    authorization_server.behave(behaviour, at=OPENID)

    with pytest.raises(IntrospectionUnavailable):
        introspect(TOKEN)

    assert authorization_server.requests_at(PATH) == []


def test_a_redirect_is_not_followed(issuer: str, authorization_server: MisbehavingServer) -> None:
    with MisbehavingServer("json", issuer=issuer, introspection_endpoint=authorization_server.url) as elsewhere:
        location = (f"Location: {elsewhere.url}",)
        authorization_server.behave("status", at=OAUTH, code=302, headers=location)

        with pytest.raises(IntrospectionUnavailable, match="302"):
            introspect(TOKEN)

        assert elsewhere.connections == 0


def test_a_server_that_comes_up_later_is_found(issuer: str, authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("status", at=OAUTH, code=500)
    with pytest.raises(IntrospectionUnavailable):
        introspect(TOKEN)
    publish(authorization_server, OAUTH)
    with pytest.raises(IntrospectionUnavailable, match="500"):
        introspect(TOKEN)
    assert len(authorization_server.requests) == 2, "a failure is followed by a pause"

    with time_machine.travel(time.time() + discovery.RETRY):
        assert introspect(TOKEN)


def test_the_last_good_document_serves_while_it_cannot_be_renewed(
    issuer: str, authorization_server: MisbehavingServer, caplog: pytest.LogCaptureFixture
) -> None:
    publish(authorization_server, OAUTH)
    introspect(TOKEN)
    authorization_server.behave("status", at=OAUTH, code=500)

    with time_machine.travel(time.time() + discovery.FRESH):
        for _ in range(3):
            assert introspect(TOKEN)
            renewals.finish()

    assert len(authorization_server.requests_at(OAUTH)) == 2
    assert [record.message for record in caplog.records] == [
        "metadata of the issuer not renewed, the kept ones are used: "
        f"no introspection_endpoint is found in the metadata of the issuer: {issuer}{OAUTH}: status 500; "
        f"{issuer}{OPENID}: status 404"
    ]


@pytest.mark.parametrize(
    ("issuer", "said"),
    [
        (None, "['introspection_url'] is required"),
        ("http://auth.example.com", "plain http is only for loopback addresses, unless 'insecure_http' is True."),
        ("https://auth.example.com?x", "['issuer'] must not have a query"),
    ],
)
def test_nothing_to_discover_from_is_an_error_of_the_settings(issuer: Any, said: str, settings: Any) -> None:
    values = discovering(issuer)
    values["BACKENDS"]["default"]["OPTIONS"] = {
        name: value for name, value in values["BACKENDS"]["default"]["OPTIONS"].items() if value is not None
    }
    settings.TOKEN_INTROSPECTION = values

    with pytest.raises(InvalidBackend) as raised:
        token_backends["default"]

    assert said in str(raised.value)


@CALLS
@pytest.mark.requirement("8705-5-a")
@pytest.mark.parametrize(
    ("has_certificate", "aliases", "at_alias", "at_usual"),
    [
        (True, {"introspection_endpoint": "{issuer}/mtls"}, 1, 0),
        (False, {"introspection_endpoint": "{issuer}/mtls"}, 0, 1),
        (True, {"token_endpoint": "{issuer}/mtls"}, 0, 1),
        (True, "{issuer}/mtls", 0, 1),
        (True, {"introspection_endpoint": "http://auth.example.com/mtls"}, 0, 0),
        (True, {"introspection_endpoint": 7}, 0, 0),
    ],
)
def test_a_client_with_a_certificate_goes_to_the_endpoint_that_asks_for_it(
    call: Any,
    has_certificate: bool,
    aliases: Any,
    at_alias: int,
    at_usual: int,
    issuer: str,
    authorization_server: MisbehavingServer,
    settings: Any,
    tmp_path: Path,
) -> None:
    members = json.loads(json.dumps(aliases).replace("{issuer}", issuer))
    publish(authorization_server, OAUTH, mtls_endpoint_aliases=members)
    authorization_server.behave("active", at="/mtls", client_id="c", sub="1")
    if has_certificate:
        certificate = list(certificates.make().write(tmp_path, "own"))
        settings.TOKEN_INTROSPECTION = discovering(issuer, client_certificate=certificate)

    with suppress(IntrospectionUnavailable):
        assert call(TOKEN)

    asked = [len(authorization_server.requests_at(place)) for place in ("/mtls", PATH)]
    assert asked == [at_alias, at_usual]
