"""Strangers cannot close the door: whatever the server answers to their tokens, it answers to everyone else."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from django_introspection import aintrospect, introspect
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.signals import circuit_changed, credentials_refused
from tests.misbehaving.server import MisbehavingServer

EVIL = "evil-"
"""How the tokens of the attacker begin. The numbers make each one new."""
RATE = 20
"""Requests a second of the attacker."""

ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    **{str(code): ("status", {"code": code}) for code in (400, 403, 404, 413, 429, 500, 502, 503)},
    "429 for a minute": ("status", {"code": 429, "headers": ("Retry-After: 60",)}),
    "503 for a minute": ("status", {"code": 503, "headers": ("Retry-After: 60",)}),
    "unreadable": ("body", {"content": b"\xff"}),
    "a page": ("body", {"content": b"<html>", "content_type": "text/html"}),
    "wrong types": ("active", {"username": 5}),
    "too large": ("body over the limit", {}),
    "closed": ("closes before the answer", {}),
    "reset": ("resets before the answer", {}),
    "silence": ("hangs before the answer", {}),
    "a slow body": ("drips its body", {}),
}
ENDLESS = {"hangs before the answer", "drips its body"}
"""The behaviours that cost each token of the stranger the whole timeout, which is shorter for them."""


@contextmanager
def attack() -> Iterator[list[BaseException | None]]:
    """Send tokens of a stranger, at this rate; give what became of them."""
    over, outcomes = threading.Event(), list[BaseException | None]()

    def ask(token: str) -> None:
        try:
            introspect(token)
        except IntrospectionUnavailable as failure:
            outcomes.append(failure)
        else:
            outcomes.append(None)

    def send(pool: ThreadPoolExecutor) -> None:
        for count in itertools.count():
            pool.submit(ask, f"{EVIL}{count}")
            if over.wait(1 / RATE):
                return

    with ThreadPoolExecutor(40) as pool:
        sender = threading.Thread(target=send, args=(pool,))
        sender.start()
        try:
            yield outcomes
        finally:
            over.set()
            sender.join()


@pytest.fixture(params=ANSWERS.values(), ids=ANSWERS)
def attacked(request: Any, authorization_server: MisbehavingServer, settings: Any) -> MisbehavingServer:
    """A server that answers the tokens of the stranger in its own way; this project asks it."""
    name, arguments = request.param
    authorization_server.behave("answers some tokens in another way", prefix=EVIL, name=name, arguments=arguments)
    # An honest caller needs milliseconds. The rest of its time is for a machine that is busy.
    settings.TOKEN_INTROSPECTION = authorization_server.settings(timeout=1.5 if name in ENDLESS else 10)
    return authorization_server


@pytest.mark.processes
def test_each_honest_caller_is_answered_during_an_attack(attacked: MisbehavingServer) -> None:
    changes: list[Any] = []

    def receive(**event: Any) -> None:
        changes.append(event)

    circuit_changed.connect(receive)
    credentials_refused.connect(receive)
    with attack() as outcomes:
        for number in itertools.count():
            assert introspect(f"honest-{number}")
            if number > 6 and len(outcomes) > 6:
                break
            threading.Event().wait(1 / RATE)

    assert all(outcomes), "each token of the stranger is answered 503"
    assert changes == []


def test_a_server_that_only_strangers_have_asked_answers_the_first_honest_caller(attacked: MisbehavingServer) -> None:
    with ThreadPoolExecutor(40) as pool:
        strangers = [pool.submit(introspect, f"{EVIL}{number}") for number in range(40)]
    assert all(isinstance(stranger.exception(), IntrospectionUnavailable) for stranger in strangers)

    assert introspect("honest")
    assert all(asyncio.run(_many()))


async def _many() -> list[Any]:
    return await asyncio.gather(*(aintrospect(f"honest-{number}") for number in range(10)))


def test_an_attack_costs_one_probe_a_second(authorization_server: MisbehavingServer, settings: Any) -> None:
    arguments = {"code": 503, "headers": ("Retry-After: 60",)}
    authorization_server.behave("answers some tokens in another way", prefix=EVIL, name="status", arguments=arguments)

    start = time.monotonic()
    for number in range(50):
        with pytest.raises(IntrospectionUnavailable):
            introspect(f"{EVIL}{number}")
    elapsed = time.monotonic() - start

    tokens = [request.form["token"][0] for request in authorization_server.requests]
    probes = [token for token in tokens if not token.startswith(EVIL)]
    assert len(tokens) - len(probes) == 50
    assert 1 <= len(probes) <= 1 + elapsed


def test_a_rate_limit_of_the_server_is_respected_for_thirty_seconds_at_most(
    authorization_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server means every question now; it is asked again after 30 seconds, although it said an hour."""
    from django_introspection.backends import breaker

    clock = [1000.0]
    monkeypatch.setattr(breaker, "monotonic", lambda: clock[0])
    authorization_server.behave("status", code=429, headers=("Retry-After: 3600",))
    for number in range(10):
        with pytest.raises(IntrospectionUnavailable) as raised:
            introspect(f"honest-{number}")
    assert raised.value.retry_after == 30
    assert len(authorization_server.requests) == 2, "one question, and the probe"

    authorization_server.behave("active")
    clock[0] += 30
    assert introspect("honest")
