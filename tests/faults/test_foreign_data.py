"""Values under our keys in Redis that this package did not write: none is believed, none is unpickled."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from django_introspection import introspect, revocations
from django_introspection.authorization_server import restoring
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.protocol.errors import RevocationsLost
from django_introspection.protocol.jwt import token_identity
from django_introspection.revocations import Tombstone
from tests import endpoints, factories
from tests.misbehaving.server import MisbehavingServer
from tests.redis_server import RedisServer

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="the program redis-server is not installed"),
]

RUN: list[str] = []
"""What an attacker's pickle has run."""


class Attack:
    def __reduce__(self) -> Any:
        return RUN.append, ("code of an attacker",)


FOREIGN = {
    "empty": b"",
    "bytes": b"\xff\x00\xfe",
    "a pickle that runs code": pickle.dumps(Attack()),
    "a pickle of an older version": pickle.dumps(json.dumps(["digest", "", 0, {"active": True}, None])),
    "half a pickle": pickle.dumps("x" * 100)[:40],
    "half of JSON": b'["abc","",1',
    "JSON of another program": b'{"active": true, "sub": "admin"}',
    "text": b"hello",
    "a float": b"1.5",
    "a number of a hundred thousand digits": b"9" * 100_000,
    "deep JSON": b"[" * 100_000,
}


@pytest.fixture(autouse=True)
def _nothing_was_run() -> Iterator[None]:
    RUN.clear()
    yield
    assert RUN == []


def key_with(server: RedisServer, part: str) -> bytes:
    (key,) = [key for key in server.client.scan_iter() if part in key.decode()]
    return key


@pytest.fixture(params=[None, "django.core.signing.JSONSerializer"], ids=["by default", "with JSON"])
def stored_as(request: Any, in_redis: RedisServer, settings: Any) -> None:
    if request.param:
        settings.CACHES = {"default": {**settings.CACHES["default"], "OPTIONS": {"serializer": request.param}}}


@pytest.fixture
def asking(in_redis: RedisServer, stored_as: None, settings: Any) -> Iterator[MisbehavingServer]:
    """A remote authorization server, whose answers are kept beside the tombstones."""
    with MisbehavingServer() as server:
        values = server.settings()
        values["BACKENDS"]["default"]["CACHE"] = {"MAX_AGE": 600}
        settings.TOKEN_INTROSPECTION = {**values, "REVOCATIONS": {}}
        revocations.set_markers()
        yield server


@pytest.mark.parametrize("part", ["answer", "generation"])
def test_a_foreign_answer_is_asked_for_anew_and_the_others_stay_kept(
    asking: MisbehavingServer, in_redis: RedisServer, part: str
) -> None:
    assert introspect("a token")
    key = key_with(in_redis, token_identity("a token").hex())
    if part == "generation":
        key = key.rpartition(b":")[0] + f":generation:{token_identity('a token')[1]}".encode()
    assert introspect("another token")
    asked = len(asking.requests)
    asking.behave("inactive")

    for value in FOREIGN.values():
        in_redis.client.set(key, value)
        assert introspect("a token") is None
        asked += 1
        assert len(asking.requests) == asked
        in_redis.client.delete(*in_redis.client.keys("*inactive*"), key)
        assert introspect("another token"), "one foreign value must not stop the cache"
        assert len(asking.requests) == asked

    if part == "generation":  # one of another type is read as none, as if it had been evicted
        return
    in_redis.client.hset(key, "a", "b")
    assert introspect("a token") is None
    asking.behave("active")
    in_redis.client.delete(*in_redis.client.keys("*inactive*"))
    assert introspect("a token")
    assert introspect("a token")
    assert len(asking.requests) == asked + 2, "the kept answer took the place of the foreign value"


def test_a_foreign_tombstone_is_a_tombstone(asking: MisbehavingServer, in_redis: RedisServer) -> None:
    assert introspect("a token")
    revocations.write_tombstones([Tombstone(token_identity("a token"), datetime.now(UTC) + timedelta(hours=1))])
    (key,) = [key for key in in_redis.client.keys(f"*{token_identity('a token').hex()}") if b"answer" not in key]

    for value in FOREIGN.values():
        in_redis.client.set(key, value)
        assert introspect("a token") is None
        assert revocations.is_revoked(token_identity("a token"))
        assert introspect("another token")


def test_a_foreign_marker_proves_nothing_and_is_replaced(
    transactional_db: None, in_redis: RedisServer, stored_as: None, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    revocations.set_markers()
    api, live, revoked = factories.ResourceServerFactory(), factories.TokenFactory(), factories.TokenFactory()
    revoke_token(revoked.token, by=None)
    keys = in_redis.client.keys("*whole*")
    assert len(keys) == 2

    for value in FOREIGN.values():
        for key in keys:
            in_redis.client.set(key, value)
        in_redis.client.delete(*in_redis.client.keys(f"*{revoked.token.digest.hex()}"))
        with pytest.raises(RevocationsLost):
            revocations.is_revoked(revoked.token.digest)

        restoring._look_for_markers.reset()
        assert endpoints.introspect(live.access_token, auth=api).json()["active"]
        assert revocations.is_revoked(revoked.token.digest)
        assert not revocations.is_revoked(live.token.digest)


def test_a_foreign_count_opens_nothing_and_breaks_nothing(
    transactional_db: None, in_redis: RedisServer, stored_as: None
) -> None:
    client = factories.RegistrationFactory().client
    assert endpoints.introspect("x", auth=(client, "wrong")).status_code == 401
    key = key_with(in_redis, "throttle")

    for value in FOREIGN.values():
        in_redis.client.set(key, value)
        assert endpoints.introspect("x", auth=(client, "wrong")).status_code == 401
