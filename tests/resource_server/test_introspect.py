"""`introspect()` and `aintrospect()`: the judgement of a protected view, without a view."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync

from django_introspection import TokenInfo, aintrospect, introspect
from django_introspection.exceptions import IntrospectionError, IntrospectionUnavailable, InvalidResponse
from tests.misbehaving.server import MisbehavingServer, remote_settings

from .protected import TOKEN

CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])


@CALLS
def test_a_good_token_is_its_token_info(call: Any, authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("active", sub="42", scope="a b", exp=4102444800)

    info = call(TOKEN)

    assert isinstance(info, TokenInfo)
    assert info.sub == "42"
    assert info.scopes == {"a", "b"}
    assert info["exp"] == 4102444800


@CALLS
@pytest.mark.parametrize(
    "members",
    [
        {"exp": 1},
        {"nbf": 4102444800},
        {"cnf": {"jkt": "x"}},
        {"token_type": "N_A"},
        {"token_use": "refresh_token"},
        {"aud": "https://other.example"},
        {"iss": "https://other.example"},
    ],
    ids=lambda members: next(iter(members)),
)
def test_a_token_that_a_view_would_refuse_is_none(
    call: Any, members: dict[str, Any], authorization_server: MisbehavingServer, settings: Any
) -> None:
    here = {"aud": "https://api.example.com", "iss": "https://auth.example.com"}
    settings.TOKEN_INTROSPECTION = authorization_server.settings(audience=here["aud"], issuer=here["iss"])
    authorization_server.behave("active", **here)
    assert call(TOKEN) is not None
    authorization_server.behave("active", **(here | members))

    assert call(TOKEN) is None


@CALLS
def test_an_inactive_token_is_none(call: Any, authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("inactive")

    assert call(TOKEN) is None


@CALLS
def test_not_finding_out_raises(call: Any, authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("HTML")
    with pytest.raises(InvalidResponse):
        call(TOKEN)
    authorization_server.behave("status 503")
    with pytest.raises(IntrospectionUnavailable) as raised:
        call(TOKEN)

    assert raised.value.retry_after == 7
    assert isinstance(raised.value, IntrospectionError)
    assert TOKEN not in f"{raised.value!r} {raised.value.__cause__!r}"


@CALLS
def test_what_went_wrong_on_the_way_does_not_hang_on_the_error(call: Any, settings: Any) -> None:
    """The HTTP library's error holds the request, and so the token and the secret."""
    settings.TOKEN_INTROSPECTION = remote_settings("http://127.0.0.1:1/introspect")

    with pytest.raises(IntrospectionUnavailable) as raised:
        call(TOKEN)

    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@CALLS
def test_another_backend_is_asked_by_its_alias(
    call: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    entry = authorization_server.settings()["BACKENDS"]["default"]
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"partner": entry}}

    assert call(TOKEN, using="partner") is not None
