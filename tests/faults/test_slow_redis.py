"""Redis that is late, cut off or silent, through a proxy: bounded waits, 503, and no answer that trusts too much."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

from django_introspection import cache_calls, introspect, revocations
from django_introspection.authorization_server import restoring
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.protocol.jwt import token_identity
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import assert_refused
from tests.misbehaving.server import MisbehavingServer
from tests.redis_server import RedisServer
from tests.resource_server.protected import ask, protect
from tests.settings import ISSUER

from .slow_link import SlowLink

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="the program redis-server is not installed"),
    pytest.mark.django_db(transaction=True),
]


def falls_silent(link: SlowLink) -> None:
    link.is_black_hole = True


def is_late(link: SlowLink) -> None:
    link.delay = 2


def breaks_off(link: SlowLink) -> None:
    link.cut()
    link.cut_after = 3


FAULTS = [falls_silent, is_late, breaks_off]


@pytest.fixture
def link(in_redis: RedisServer, settings: Any) -> Iterator[SlowLink]:
    """The way to Redis, which is waited for no longer than half a second."""
    with SlowLink(in_redis.port) as between:
        options = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5, "retry": None}
        location = f"redis://127.0.0.1:{between.port}/0"
        settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": location, "OPTIONS": options}}
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
        revocations.set_markers()
        yield between


def mend(link: SlowLink) -> None:
    """End the fault, and go on after the pause that follows it; no test waits for it."""
    link.is_black_hole, link.delay, link.cut_after = False, 0, -1
    link.cut()
    for calls in cache_calls._every_purpose:
        calls.forget_failures()
    restoring._look_for_markers.reset()
    try:
        revocations.whole_since()
    except IntrospectionUnavailable:  # a connection of the pool was cut
        mend(link)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_revocation_is_503_until_it_can_reach_every_cache(fault: Any, link: SlowLink) -> None:
    machine, api = factories.RegistrationFactory(), factories.ResourceServerFactory()
    issued = factories.TokenFactory(client=machine.client)
    fault(link)

    start = time.monotonic()
    answers = [endpoints.post("/oauth/revoke", {"token": issued.access_token}, auth=machine) for _ in range(5)]
    assert time.monotonic() - start < 10

    for answer in answers:
        assert_refused(answer, 503, "temporarily_unavailable")
    assert not endpoints.introspect(issued.access_token, auth=api).json()["active"], "the table has it at once"
    mend(link)
    assert endpoints.post("/oauth/revoke", {"token": issued.access_token}, auth=machine).status_code == 200
    assert revocations.is_revoked(issued.token.digest)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_needs_no_tombstone_goes_on(fault: Any, link: SlowLink) -> None:
    machine, api = factories.RegistrationFactory(), factories.ResourceServerFactory()
    issued = factories.TokenFactory(client=machine.client)
    fault(link)

    start = time.monotonic()
    for _ in range(5):
        assert endpoints.introspect(issued.access_token, auth=api).json()["active"]
        assert endpoints.introspect("unknown", auth=api).json() == {"active": False}
        assert endpoints.post("/oauth/token", {"grant_type": "client_credentials"}, auth=machine).status_code == 200
        assert endpoints.introspect("x", auth=(machine.client, "wrong")).status_code == 401
        assert ask(protect(), issued.access_token).status_code == 200
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("fault", FAULTS)
def test_a_kept_answer_is_not_used_while_its_tombstone_cannot_be_read(
    fault: Any, link: SlowLink, settings: Any
) -> None:
    with MisbehavingServer() as server:
        values = server.settings(timeout=5)
        values["BACKENDS"]["default"]["CACHE"] = {"MAX_AGE": 600}
        settings.TOKEN_INTROSPECTION = {**values, "REVOCATIONS": {}}
        assert introspect("a-token")
        assert introspect("a-token")
        assert len(server.requests) == 1
        server.behave("inactive")
        fault(link)

        start = time.monotonic()
        assert [ask(protect(), "a-token").status_code for _ in range(5)] == [401] * 5
        assert time.monotonic() - start < 10

        assert len(server.requests) == 6


@pytest.mark.parametrize("fault", FAULTS)
def test_who_verifies_without_asking_is_503(fault: Any, link: SlowLink) -> None:
    fault(link)

    start = time.monotonic()
    for _ in range(5):
        with pytest.raises(IntrospectionUnavailable):
            revocations.is_revoked(token_identity("a-token"))
    assert time.monotonic() - start < 10
    mend(link)
    assert not revocations.is_revoked(token_identity("a-token"))


@pytest.mark.parametrize("fault", [*FAULTS, None], ids=lambda fault: getattr(fault, "__name__", "is_full"))
def test_what_can_be_used_once_is_refused_while_its_use_cannot_be_noted(
    fault: Any, link: SlowLink, in_redis: RedisServer
) -> None:
    keys = {"keys": [jose.public("ES256")]}
    client, _ = factories.RegistrationFactory(token_endpoint_auth_method="private_key_jwt", jwks=keys)
    machine, grant = factories.RegistrationFactory(), {"grant_type": "client_credentials"}
    by_assertion = {**grant, **jose.asserting(jose.assertion(client.client_id))}
    proof = {"DPoP": jose.proof("", f"{ISSUER}/oauth/token", htm="POST", ath=None)}
    limit = in_redis.client.config_get("maxmemory")["maxmemory"]
    fault(link) if fault else in_redis.client.config_set("maxmemory", 1)

    start = time.monotonic()
    assert_refused(endpoints.post("/oauth/token", by_assertion), 503, "temporarily_unavailable")
    assert_refused(endpoints.post("/oauth/token", grant, auth=machine, headers=proof), 503, "temporarily_unavailable")
    assert time.monotonic() - start < 10

    in_redis.client.config_set("maxmemory", limit)
    mend(link)
    again = {**grant, **jose.asserting(jose.assertion(client.client_id))}
    assert endpoints.post("/oauth/token", again).status_code == 200
    assert endpoints.post("/oauth/token", again).status_code == 401


def test_a_redis_that_is_a_little_late_is_as_good_as_ever(link: SlowLink) -> None:
    issued = factories.TokenFactory()
    link.delay = 0.05

    revoke_token(issued.token, by=None)

    assert revocations.is_revoked(issued.token.digest)
