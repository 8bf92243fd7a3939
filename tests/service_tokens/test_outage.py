"""A token endpoint that is down: exchanges fail at once after a while, and go on without a restart."""

from __future__ import annotations

from typing import Any

import pytest

from django_introspection.backends import breaker
from django_introspection.exceptions import ExchangeRefused, IntrospectionUnavailable
from django_introspection.services import exchange_token
from django_introspection.signals import circuit_changed
from tests.misbehaving.server import MisbehavingServer

from .conftest import ALIAS, TOKEN_PATH, configure

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of the circuit breaker."""
    moment = [1000.0]
    monkeypatch.setattr(breaker, "monotonic", lambda: moment[0])
    return moment


@pytest.fixture
def changes() -> Any:
    seen: list[Any] = []

    def receive(**event: Any) -> None:
        seen.append((event["backend"], event["service"], event["is_open"]))

    circuit_changed.connect(receive)
    yield seen
    circuit_changed.disconnect(receive)


@pytest.fixture(autouse=True)
def exchanging(token_server: MisbehavingServer, settings: Any) -> None:
    configure(settings, token_server, grant_type=EXCHANGE, timeout=0.3)


def fail(number: int) -> IntrospectionUnavailable:
    with pytest.raises(IntrospectionUnavailable) as raised:
        exchange_token(ALIAS, f"token-{number}")
    return raised.value


def test_the_whole_story(token_server: MisbehavingServer, clock: list[float], changes: list[Any]) -> None:
    token_server.behave("hangs before the answer", at=TOKEN_PATH)
    for number in range(breaker.FAILURES + 1):
        fail(number)
    asked = len(token_server.requests)
    assert asked == breaker.FAILURES + 1
    last = token_server.requests[-1].form["subject_token"][0]
    assert not last.startswith("token-"), "a token of our own decides for all callers"
    assert changes == [(None, ALIAS, True)]

    for number in range(100):
        assert fail(number).retry_after == breaker.OPEN
    assert len(token_server.requests) == asked

    token_server.behave("issues tokens", at=TOKEN_PATH, issued=[])
    clock[0] += breaker.OPEN
    assert exchange_token(ALIAS, "token")
    assert exchange_token(ALIAS, "another")
    assert changes == [(None, ALIAS, True), (None, ALIAS, False)]


def test_refused_tokens_open_no_circuit(
    token_server: MisbehavingServer, clock: list[float], changes: list[Any]
) -> None:
    token_server.behave("status", at=TOKEN_PATH, code=400, content=b'{"error": "invalid_request"}')
    for number in range(20):
        with pytest.raises(ExchangeRefused):
            exchange_token(ALIAS, f"token-{number}")

    assert len(token_server.requests) == 20
    assert changes == []


def test_errors_of_the_server_open_no_circuit(
    token_server: MisbehavingServer, clock: list[float], changes: list[Any]
) -> None:
    token_server.behave("status", at=TOKEN_PATH, code=500)
    for number in range(20):
        fail(number)

    assert len(token_server.requests) == 20
    assert changes == []
