"""Documents, keys and tokens whose renewal hangs or fails: whoever can use the kept one goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.outbound import discovery, jwks, renewal
from django_introspection.outbound.deadline import deadline
from django_introspection.outbound.renewal import Fetched, Renewable
from django_introspection.outbound.steps import Pause, Steps, run
from tests.backends.issuers import JWKS, OAUTH, access_token, jwt_settings, public, publish
from tests.misbehaving.server import PATH, MisbehavingServer, remote_settings
from tests.outbound import renewals

TOKEN_PATH = "/token"
LIFETIME = 300

CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])


def discovering(server: MisbehavingServer, settings: Any) -> Callable[[int], str]:
    """Ask a server whose endpoint is named by its metadata."""
    publish(server, introspection_endpoint=server.url)
    values = remote_settings("", issuer=server.origin)
    del values["BACKENDS"]["default"]["OPTIONS"]["introspection_url"]
    configure(settings, values)
    return lambda number: f"token-{number}"


def verifying(server: MisbehavingServer, settings: Any) -> Callable[[int], str]:
    """Verify JWTs with the keys of a server."""
    publish(server, public())
    configure(settings, {"BACKENDS": {"default": jwt_settings(server.origin)}})
    return lambda number: access_token(server.origin, jti=str(number), exp=int(time.time()) + 60)


def with_service_token(server: MisbehavingServer, settings: Any) -> Callable[[int], str]:
    """Ask a server with a token of its token endpoint."""
    issued: list[str] = []
    server.behave("issues tokens", at=TOKEN_PATH, issued=issued, expires_in=LIFETIME)
    server.behave("takes one bearer token", at=PATH, good=issued)
    options = {"auth_method": "client_credentials", "token_url": server.origin + TOKEN_PATH}
    configure(settings, server.settings(**options))
    return lambda number: f"token-{number}"


def configure(settings: Any, values: dict[str, Any]) -> None:
    for entry in values["BACKENDS"].values():
        entry["OPTIONS"]["timeout"] = 3
    settings.TOKEN_INTROSPECTION = values


KEPT = {
    "metadata": (discovering, OAUTH, discovery.FRESH),
    "keys": (verifying, JWKS, jwks.FRESH),
    "service token": (with_service_token, TOKEN_PATH, LIFETIME - 30),
}


@pytest.fixture(params=KEPT.values(), ids=KEPT)
def kept(request: Any, authorization_server: MisbehavingServer, settings: Any) -> Any:
    """What is kept and due for renewal: a token for each number, and where the renewal asks."""
    prepare, place, fresh = request.param
    token = prepare(authorization_server, settings)
    assert introspect(token(0))
    with time_machine.travel(time.time() + fresh + 1):
        yield token, place
        authorization_server.released.set()
        renewals.finish()


def test_a_renewal_that_hangs_delays_no_request(
    kept: Any, authorization_server: MisbehavingServer, circuit_changes: list[Any]
) -> None:
    """The renewal hangs until the test ends: a request that returns has not waited for it."""
    token, place = kept
    authorization_server.behave("hangs before the answer", at=place)
    before = len(authorization_server.requests_at(place))

    async def many() -> list[Any]:
        return await asyncio.gather(*(aintrospect(token(number)) for number in range(20, 40)))

    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(introspect, map(token, range(1, 20))))
    assert all(asyncio.run(many()))

    assert authorization_server.hanging.wait(5)
    assert len(authorization_server.requests_at(place)) - before == 1
    assert circuit_changes == []


@CALLS
def test_a_renewal_that_fails_refuses_no_request(
    call: Any, kept: Any, authorization_server: MisbehavingServer, circuit_changes: list[Any]
) -> None:
    token, place = kept
    authorization_server.behave("status", at=place, code=500)
    before = len(authorization_server.requests_at(place))

    for number in range(1, 4):
        assert call(token(number))
        renewals.finish()

    assert len(authorization_server.requests_at(place)) - before == 1
    assert circuit_changes == []


def test_a_token_endpoint_that_is_down_ends_nothing_until_the_service_token_expires(
    authorization_server: MisbehavingServer, settings: Any
) -> None:
    with_service_token(authorization_server, settings)
    start = time.time()
    assert introspect("token")
    authorization_server.behave("status", at=TOKEN_PATH, code=500)

    with time_machine.travel(start + LIFETIME - 5):
        assert introspect("token")
        renewals.finish()
    with time_machine.travel(start + LIFETIME + 120), pytest.raises(IntrospectionUnavailable, match="500"):
        introspect("token")


def test_a_request_after_hours_waits_for_a_renewal_that_hangs_no_longer_than_its_share(
    authorization_server: MisbehavingServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "LONGEST_WAIT", 0.05)
    token = verifying(authorization_server, settings)
    assert introspect(token(0))
    authorization_server.behave("hangs before the answer", at=JWKS)

    with time_machine.travel(time.time() + jwks.USABLE_FOR - 60):
        assert introspect(token(1))
        assert not authorization_server.released.is_set()
        authorization_server.released.set()
        renewals.finish()


class TestRenewable:
    def fetch(self, number: int, *, fails: bool = False) -> Steps[Fetched[int]]:
        yield from Pause(0)
        if fails:
            raise IntrospectionUnavailable("it is down")
        return Fetched(number, 10, 100)

    def get(self, value: Renewable[int], **arguments: Any) -> int:
        with deadline(5):
            return run(value.get(**arguments))

    def test_a_slow_renewal_does_not_bring_an_older_value_back(self) -> None:
        gate, fetched = threading.Event(), iter(range(9))

        def fetch() -> Steps[Fetched[int]]:
            number = next(fetched)
            yield from Pause(0)
            if number == 1:
                gate.wait(10)
            return Fetched(number, 10, 100)

        value = Renewable("values", fetch, retry=5)
        with time_machine.travel(1_900_000_000, tick=False) as clock:
            assert self.get(value) == 0
            clock.shift(11)
            assert self.get(value) == 0
            clock.shift(1)
            assert self.get(value, is_enough=lambda number: number > 0) == 2
            gate.set()
            renewals.finish()

            assert self.get(value) == 2

    def test_a_renewal_whose_thread_was_lost_is_started_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """After a fork the thread is the parent's, and a machine may have no thread left."""
        numbers = iter(range(9))
        value = Renewable("values", lambda: self.fetch(next(numbers)), retry=5)
        with time_machine.travel(1_900_000_000, tick=False) as clock:
            self.get(value)
            clock.shift(11)
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", lambda self: (_ for _ in ()).throw(RuntimeError("no thread")))
                assert self.get(value) == 0
            assert self.get(value) == 0
            clock.shift(renewal.RENEW_EVERY)
            self.get(value)
            renewals.finish()

            assert self.get(value) == 1

    def test_a_failure_is_told_again_during_the_pause_and_then_tried_again(self) -> None:
        outcomes = iter([True, False])
        value = Renewable("values", lambda: self.fetch(7, fails=next(outcomes)), retry=5)
        with time_machine.travel(1_900_000_000, tick=False) as clock:
            for _ in range(3):
                with pytest.raises(IntrospectionUnavailable, match="it is down"):
                    self.get(value)
            clock.shift(5)

            assert self.get(value) == 7
