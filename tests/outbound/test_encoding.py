"""Replies that are packed although `identity` was asked: gzip is read within the limit, anything else is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.protocol.errors import CredentialsRefused
from django_introspection.signals import circuit_changed
from tests.backends.issuers import JWKS, OAUTH, access_token, jwt_settings, public
from tests.misbehaving.server import MisbehavingServer

TOKEN = "some-token"
MARK = "\ufeff".encode()
CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
PACKED = [
    "gzip of a body over the limit",
    "gzip cut off",
    "gzip with something behind it",
    "two packings",
    "plain body that claims to be gzip",
    "plain body that claims to be packed",
]


@CALLS
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZip", " gzip "])
def test_a_packed_answer_is_read(call: Any, encoding: str, authorization_server: MisbehavingServer) -> None:
    answer = {"active": True, "sub": "alice", "aud": []}
    authorization_server.behave("gzip", content=json.dumps(answer).encode(), encoding=encoding)

    info = call(TOKEN)

    assert info is not None
    assert info.sub == "alice"
    assert authorization_server.requests[0].headers["Accept-Encoding"] == "identity"


def test_metadata_and_keys_are_read_packed(settings: Any) -> None:
    with MisbehavingServer() as server:
        metadata = {"issuer": server.origin, "jwks_uri": f"{server.origin}{JWKS}"}
        server.behave("gzip", at=OAUTH, content=json.dumps(metadata).encode())
        server.behave("gzip", at=JWKS, content=json.dumps({"keys": [public()]}).encode())
        settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": jwt_settings(server.origin)}}

        assert introspect(access_token(server.origin)) is not None

        assert [request.path for request in server.requests] == [OAUTH, JWKS]


def test_a_byte_order_mark_of_metadata_and_keys_is_ignored(settings: Any) -> None:
    with MisbehavingServer() as server:
        metadata = {"issuer": server.origin, "jwks_uri": f"{server.origin}{JWKS}"}
        server.behave("body", at=OAUTH, content=MARK + json.dumps(metadata).encode())
        server.behave("body", at=JWKS, content=MARK + json.dumps({"keys": [public()]}).encode())
        settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": jwt_settings(server.origin)}}

        assert introspect(access_token(server.origin)) is not None

        assert [request.path for request in server.requests] == [OAUTH, JWKS]


def test_a_byte_order_mark_of_the_own_token_of_this_api_is_ignored(
    authorization_server: MisbehavingServer, settings: Any
) -> None:
    token_url = f"{authorization_server.origin}/token"
    settings.TOKEN_INTROSPECTION = authorization_server.settings(auth_method="client_credentials", token_url=token_url)
    answer = {"access_token": "own", "token_type": "Bearer", "expires_in": 600}
    authorization_server.behave("body", at="/token", content=MARK + json.dumps(answer).encode())

    assert introspect(TOKEN) is not None


def test_the_own_token_of_this_api_is_read_packed(authorization_server: MisbehavingServer, settings: Any) -> None:
    token_url = f"{authorization_server.origin}/token"
    settings.TOKEN_INTROSPECTION = authorization_server.settings(auth_method="client_credentials", token_url=token_url)
    answer = {"access_token": "own", "token_type": "Bearer", "expires_in": 600}
    authorization_server.behave("gzip", at="/token", content=json.dumps(answer).encode())

    assert introspect(TOKEN) is not None


def test_a_packed_refusal_of_our_credentials_is_one(authorization_server: MisbehavingServer) -> None:
    refusal = json.dumps({"error": "invalid_client"}).encode()
    authorization_server.behave("gzip", content=refusal, status="400 Bad Request")

    with pytest.raises(CredentialsRefused):
        introspect(TOKEN)


@CALLS
@pytest.mark.parametrize("behaviour", PACKED)
def test_what_cannot_be_unpacked_refuses_its_token_and_opens_no_circuit(
    call: Any, behaviour: str, authorization_server: MisbehavingServer
) -> None:
    changes: list[Any] = []

    def changed(**said: Any) -> None:
        changes.append(said)

    circuit_changed.connect(changed)
    authorization_server.behave(behaviour)
    for number in range(12):
        with pytest.raises(IntrospectionUnavailable):
            call(f"{TOKEN}-{number}")
    authorization_server.behave("active")

    assert call(TOKEN) is not None
    assert len(authorization_server.requests) == 13, "no probe was needed"
    assert changes == []
