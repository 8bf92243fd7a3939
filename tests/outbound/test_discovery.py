"""Endpoints found by the word of the issuer (RFC 8414, OpenID Connect Discovery)."""

from __future__ import annotations

import time
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from django_introspection.outbound import discovery
from django_introspection.outbound.discovery import metadata_urls
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
        ("https://a.example:8443/t/1", (f"https://a.example:8443{OAUTH}/t/1", f"https://a.example:8443/t/1{OPENID}")),
        ("https://a.example/t/1/", (f"https://a.example{OAUTH}/t/1", f"https://a.example/t/1{OPENID}")),
    ],
)
def test_both_places_follow_from_the_issuer(issuer: str, urls: tuple[str, str]) -> None:
    assert metadata_urls(issuer) == urls


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
    assert len(authorization_server.requests) == 1, "a failure is followed by a pause"

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
        "the issuer answers 500 to the request for its metadata"
    ]


@pytest.mark.parametrize(
    ("issuer", "said"),
    [
        (None, "['introspection_url'] is required"),
        ("http://auth.example.com", "['issuer'] must be an https URL; plain http"),
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
