"""The outage story: what goes on, what does not, and how it ends, without a restart."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.backends import breaker, guarded_server
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.outbound.deadline import DeadlinePassed, seconds_left
from tests.misbehaving.server import MisbehavingServer, refusing_url, remote_settings

from .protected import ask, assert_unavailable, protect

NOW = 1_900_000_000
SHORT = 0.5
"""Seconds that a request waits for a server which hangs."""
PATIENT = 10
"""Seconds for a server that answers at once, on a machine that may be busy."""


def wait_for_the_server(seconds: float) -> None:
    """Change the timeout of the backend, whose circuit stays as it is."""
    backend: Any = token_backends["default"]
    backend.timeout = backend._endpoint._server.timeout = seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of the circuit breaker."""
    moment = [1000.0]
    monkeypatch.setattr(breaker, "monotonic", lambda: moment[0])
    return moment


@pytest.mark.processes
def test_the_whole_story(
    authorization_server: MisbehavingServer, settings: Any, clock: list[float], circuit_changes: list[Any]
) -> None:
    values = authorization_server.settings(timeout=PATIENT)
    values["BACKENDS"]["default"]["CACHE"] = {"MAX_AGE": 600}
    settings.TOKEN_INTROSPECTION = values
    view = protect()
    with time_machine.travel(NOW, tick=False) as time:
        authorization_server.behave("active", exp=NOW + 300)
        assert ask(protect(), "known").status_code == 200
        calls = len(authorization_server.requests)
        authorization_server.behave("hangs before the answer")
        wait_for_the_server(SHORT)

        for number in range(breaker.FAILURES):  # each waits for its deadline
            assert_unavailable(ask(view, f"new-{number}"), view)
        assert_unavailable(ask(view, "one-that-probes"), view)  # with a token of our own
        asked = len(authorization_server.requests) - calls
        assert asked == breaker.FAILURES + 1
        assert circuit_changes == [("default", True)]

        for number in range(100):  # no request waits any more
            assert_unavailable(ask(view, f"newer-{number}"), view)
        assert len(authorization_server.requests) == calls + asked
        time.shift(299)
        assert ask(protect(), "known").status_code == 200

        time.shift(1)  # the life of the token ends
        assert_unavailable(ask(view, "known"), view)

        clock[0] += breaker.OPEN  # a probe fails, and the next ones do not wait again
        assert_unavailable(ask(view, "new"), view)
        assert_unavailable(ask(view, "new"), view)
        assert len(authorization_server.requests) == calls + asked + 1

        authorization_server.behave("active")
        wait_for_the_server(PATIENT)
        assert_unavailable(ask(view, "new"), view)
        clock[0] += breaker.OPEN
        assert ask(protect(), "new").status_code == 200
        assert ask(protect(), "newest").status_code == 200
        assert circuit_changes == [("default", True), ("default", False)]


def test_every_line_about_a_server_that_is_down_names_its_host(settings: Any, caplog: Any) -> None:
    with refusing_url() as url:
        settings.TOKEN_INTROSPECTION = remote_settings(url)
        for number in range(breaker.FAILURES + 2):
            assert ask(protect(), f"token-{number}").status_code == 503

    down = f"{urlsplit(url).netloc} cannot be reached: ConnectError (ConnectionRefusedError)"
    not_checked = "access token not checked backend=default"
    assert [record.getMessage() for record in caplog.records] == [
        *[f"{not_checked}: {down}"] * breaker.FAILURES,
        f"circuit opened backend=default: {down}",
        f"{not_checked}: {down}",
        f"{not_checked}: the authorization server did not answer lately: {down}",
    ]


@pytest.mark.parametrize(
    ("code", "said"),
    [(502, "the authorization server {} answers 502"), (503, "the authorization server is busy: 503 from {}")],
)
def test_the_line_about_an_error_of_a_proxy_names_the_host(
    code: int, said: str, authorization_server: MisbehavingServer, caplog: Any
) -> None:
    authorization_server.behave("status", code=code)

    assert ask(protect(), "token").status_code == 503

    host = urlsplit(authorization_server.origin).netloc
    assert [record.getMessage() for record in caplog.records] == [
        f"access token not checked backend=default: {said.format(host)}"
    ]


def test_a_probe_may_use_the_whole_time_of_its_request(
    authorization_server: MisbehavingServer,
    clock: list[float],
    circuit_changes: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that always needs most of the timeout must not stay locked out."""
    asking = token_backends["default"]._endpoint._server  # type: ignore[attr-defined] # RemoteBackend's own
    asking.breaker.probe_failed()
    clock[0] += breaker.OPEN
    exchange, left = asking._transport.exchange, list[float]()

    def slowly(request: Any) -> Any:
        left.append(seconds_left())
        reply = yield from exchange(request)
        asking.timeout = 1000  # so little of it is left then
        return reply

    monkeypatch.setattr(asking._transport, "exchange", slowly)
    with pytest.raises(DeadlinePassed):
        introspect("token")

    assert left[0] > 4, "of five seconds"
    assert circuit_changes == [("default", True), ("default", False)]
    asking.timeout = 5
    assert introspect("token")


def test_the_wait_until_the_next_probe_is_told(authorization_server: MisbehavingServer, clock: list[float]) -> None:
    authorization_server.behave("status 503")  # asks for seven seconds
    assert ask(protect(), "token")["Retry-After"] == "7"

    for now, left in ((1000.0, "7"), (1003.0, "4"), (1006.5, "1")):
        clock[0] = now
        assert ask(protect(), "token")["Retry-After"] == left
    assert [request.form["token"] == ["token"] for request in authorization_server.requests] == [True, False]
    authorization_server.behave("active")
    clock[0] = 1007.0

    assert ask(protect(), "token").status_code == 200


@pytest.mark.parametrize("code", [502, 503, 504])
def test_one_passing_fault_is_nobody_s_business(code: int, authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("fails at first", count=[1], code=code)

    assert introspect("token")
    assert len(authorization_server.requests) == 2
    authorization_server.behave("fails at first", count=[2], code=code)
    with pytest.raises(IntrospectionUnavailable, match=str(code)):
        introspect("token")
    assert len(authorization_server.requests) == 4


@pytest.fixture
def _callers_may_be_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a caller that began half a timeout after the first one still have too little time for its own question."""
    monkeypatch.setattr(guarded_server, "LEAST_SHARE", 0.5)


@pytest.mark.usefixtures("_callers_may_be_late")
def test_fifty_who_wait_for_a_dead_server_each_get_their_own_503_within_one_deadline(
    authorization_server: MisbehavingServer, settings: Any
) -> None:
    view, ready = protect(), threading.Barrier(50)
    settings.TOKEN_INTROSPECTION = authorization_server.settings(timeout=2)
    authorization_server.behave("hangs before the answer")

    def call(_: int) -> Any:
        ready.wait()
        return ask(view, "token")

    with ThreadPoolExecutor(50) as pool:
        responses = list(pool.map(call, range(50)))

    for response in responses:
        assert_unavailable(response, view)
    assert len({id(response) for response in responses}) == 50
    assert len(authorization_server.requests) == 1, "who waits for a question of another has no time left for its own"


@pytest.mark.usefixtures("_callers_may_be_late")
def test_fifty_tasks_that_wait_for_a_dead_server_share_one_deadline(
    authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(timeout=1)
    authorization_server.behave("hangs before the answer")

    async def many() -> list[Any]:
        return await asyncio.gather(*(aintrospect("token") for _ in range(50)), return_exceptions=True)

    failures = asyncio.run(many())

    assert all(isinstance(failure, IntrospectionUnavailable) for failure in failures)
    assert len({id(failure) for failure in failures}) == 50
    assert len(authorization_server.requests) == 1
