"""JWTs that end by the feed of revocations, without a cache that both sides share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect, revocations, token_backends
from django_introspection.backends.feed import Feed
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from tests import caches as test_caches
from tests import jose
from tests.misbehaving.server import MisbehavingServer
from tests.settings import AUDIENCE

from .feed_server import FeedServer, until
from .issuers import access_token, jwt_settings, public, publish
from .test_cut_offs import mark as mark_cut_offs

CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])


@pytest.fixture
def keys() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        publish(server, public())
        yield server


@pytest.fixture
def server(keys: MisbehavingServer, settings: Any) -> Iterator[FeedServer]:
    """The feed of the issuer of these JWTs."""
    with FeedServer() as server:
        server.issuer = keys.origin
        settings.TOKEN_INTROSPECTION = jwts(server, keys)
        yield server


def jwts(server: FeedServer, keys: MisbehavingServer, **options: Any) -> dict[str, Any]:
    backends = server.settings()["BACKENDS"]
    own = {**jwt_settings(keys.origin, **options), "REVOCATIONS": {"FEED": "asked"}}
    return {"BACKENDS": {"default": own, "asked": backends["default"]}}


def feed() -> Feed:
    found = token_backends["asked"].feed
    assert found is not None
    return found


def late() -> None:
    feed().close()


@CALLS
def test_a_jwt_is_accepted_until_the_feed_names_it(call: Any, server: FeedServer, keys: MisbehavingServer) -> None:
    token, other = access_token(keys.origin), access_token(keys.origin, sub="another")
    assert call(token)

    server.end(token)
    until(lambda: len(feed().tokens))

    assert call(token) is None
    assert call(jose.other_signature(token)) is None
    assert call(other)


@CALLS
def test_what_ended_before_this_process_began_is_rejected_from_the_first_request_on(
    call: Any, server: FeedServer, keys: MisbehavingServer
) -> None:
    token = access_token(keys.origin)
    server.end(token)

    assert call(token) is None


@CALLS
def test_a_late_feed_lets_nothing_in(call: Any, server: FeedServer, keys: MisbehavingServer) -> None:
    assert call(access_token(keys.origin))
    late()

    with pytest.raises(IntrospectionUnavailable, match="the feed of revocations of 'asked' cannot be used: it is late"):
        call(access_token(keys.origin))


@CALLS
def test_a_feed_that_is_down_lets_nothing_in(call: Any, server: FeedServer, keys: MisbehavingServer) -> None:
    server.fault = lambda: (500, None, {})

    with pytest.raises(IntrospectionUnavailable, match="it has not been read yet"):
        call(access_token(keys.origin))


@pytest.mark.parametrize("cut_offs", [False, True])
@CALLS
def test_a_late_feed_lets_nothing_in_if_no_tombstones_are_read(
    call: Any, cut_offs: bool, server: FeedServer, keys: MisbehavingServer, settings: Any
) -> None:
    values = jwts(server, keys, cut_offs=cut_offs)
    settings.TOKEN_INTROSPECTION = {**values, "REVOCATIONS": {"TOMBSTONES": False}}
    mark_cut_offs()
    assert call(access_token(keys.origin))
    late()

    with pytest.raises(IntrospectionUnavailable, match="it is late"):
        call(access_token(keys.origin))


def test_a_late_feed_leaves_the_decision_to_the_next_backend(
    server: FeedServer, keys: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = jwts(server, keys, then_ask="asked")
    token = access_token(keys.origin)
    introspect(token)
    late()

    assert token_backends["default"].introspect(token)  # and then the next one is asked


def test_a_late_feed_leaves_the_decision_to_tombstones(
    server: FeedServer, keys: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**jwts(server, keys), "REVOCATIONS": {}}
    revocations.set_markers()
    token = access_token(keys.origin)
    assert introspect(token)
    late()
    assert introspect(token)

    test_caches.empty()
    with pytest.raises(IntrospectionUnavailable):
        introspect(token)


def test_with_a_fresh_feed_no_tombstone_is_read(server: FeedServer, keys: MisbehavingServer, settings: Any) -> None:
    introspect(access_token(keys.origin))
    settings.CACHES = {"default": {**test_caches.counting(), "KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"]}}
    settings.TOKEN_INTROSPECTION = {**jwts(server, keys), "REVOCATIONS": {}}
    introspect(access_token(keys.origin))
    until(lambda: feed().is_fresh)
    test_caches.CALLS.clear()

    assert introspect(access_token(keys.origin))
    assert test_caches.CALLS == []


GAPS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another issuer": ({"issuer": "https://else.example"}, {}, "it is that of another issuer"),
    "no issuer": ({"issuer": None}, {}, "it is that of another issuer"),
    "own tokens alone": ({"policy": "own"}, {}, "the introspection policy 'own'"),
    "another audience": ({"policy": "audience", "resources": ["https://else.example"]}, {}, "'audience'"),
    "tokens without audience": (
        {"policy": "audience", "resources": [AUDIENCE]},
        {"audience_required": False, "require_at_jwt": False},
        "'audience'",
    ),
    "audience in another claim": (
        {"policy": "audience", "resources": [AUDIENCE]},
        {"audience_claim": "client_id", "require_at_jwt": False},
        "'audience'",
    ),
}


@pytest.mark.parametrize(("served", "options", "problem"), GAPS.values(), ids=GAPS)
def test_a_feed_that_could_leave_tokens_out_lets_nothing_in(
    served: dict[str, Any],
    options: dict[str, Any],
    problem: str,
    server: FeedServer,
    keys: MisbehavingServer,
    settings: Any,
) -> None:
    settings.TOKEN_INTROSPECTION = jwts(server, keys, **options)
    for name, value in served.items():
        setattr(server, name, value)

    with pytest.raises(IntrospectionUnavailable, match=problem):
        introspect(access_token(keys.origin))


def test_a_feed_for_the_audience_is_enough(server: FeedServer, keys: MisbehavingServer) -> None:
    server.policy, server.resources = "audience", [AUDIENCE, "https://else.example"]

    assert introspect(access_token(keys.origin))


def test_a_first_reading_that_hangs_ends_in_time(server: FeedServer, keys: MisbehavingServer, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = jwts(server, keys, timeout=1)

    def hang() -> Any:
        time.sleep(3)
        return 500, None, {}

    server.fault = hang
    with pytest.raises(IntrospectionUnavailable):
        introspect(access_token(keys.origin))


WRONG: dict[str, tuple[Any, str]] = {
    "no dictionary": ("asked", "must be a dictionary"),
    "its own": ({"FEED": True}, "['FEED'] must be an alias of BACKENDS"),
    "unknown": ({"FEED": "nobody"}, "['FEED'] must be an alias of BACKENDS"),
    "without feed": (
        {"FEED": "default"},
        "['FEED'] names 'default', whose own REVOCATIONS must have 'FEED': True or 'database'",
    ),
    "more keys": ({"FEED": "asked", "MAX_DELAY": 5}, "has unknown keys: 'MAX_DELAY'"),
}


@pytest.mark.parametrize(("entry", "problem"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_named_with_its_place(
    entry: Any, problem: str, server: FeedServer, keys: MisbehavingServer, settings: Any
) -> None:
    values = jwts(server, keys)
    values["BACKENDS"]["default"]["REVOCATIONS"] = entry
    settings.TOKEN_INTROSPECTION = values

    with pytest.raises(InvalidBackend) as raised:
        token_backends["default"]

    assert str(raised.value).startswith("TOKEN_INTROSPECTION['BACKENDS']['default']['REVOCATIONS']")
    assert problem in str(raised.value)
