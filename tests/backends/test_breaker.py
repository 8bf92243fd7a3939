from __future__ import annotations

from typing import Any

import pytest

from django_introspection.backends import breaker
from django_introspection.backends.breaker import FAILURES, OPEN, Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(breaker, "monotonic", clock)
    return clock


@pytest.fixture
def changes() -> list[bool]:
    return []


@pytest.fixture
def circuit(clock: Clock, changes: list[bool]) -> Breaker:
    return Breaker(changes.append)


def fail(circuit: Breaker, times: int, **wait: Any) -> None:
    for _ in range(times):
        circuit.failed(**wait)


def test_a_few_failures_open_nothing(circuit: Breaker, changes: list[bool]) -> None:
    fail(circuit, FAILURES - 1)
    assert circuit.seconds_to_wait() == 0
    circuit.succeeded()
    fail(circuit, FAILURES - 1)

    assert circuit.seconds_to_wait() == 0
    assert changes == []


def test_failures_in_a_row_open_the_circuit_for_a_while(circuit: Breaker, clock: Clock, changes: list[bool]) -> None:
    fail(circuit, FAILURES)

    assert circuit.seconds_to_wait() == OPEN
    clock.now += OPEN - 1
    assert circuit.seconds_to_wait() == 1
    assert changes == [True]


def test_one_probe_at_a_time_tries_an_open_circuit(circuit: Breaker, clock: Clock, changes: list[bool]) -> None:
    fail(circuit, FAILURES)
    clock.now += OPEN

    assert [circuit.seconds_to_wait() for _ in range(3)] == [0, OPEN, OPEN]
    circuit.failed()
    assert circuit.seconds_to_wait() == OPEN
    clock.now += OPEN
    assert circuit.seconds_to_wait() == 0
    circuit.succeeded()
    assert [circuit.seconds_to_wait() for _ in range(3)] == [0, 0, 0]
    assert changes == [True, False]


def test_a_probe_that_never_comes_back_blocks_nobody_for_ever(circuit: Breaker, clock: Clock) -> None:
    fail(circuit, FAILURES)
    clock.now += OPEN
    assert circuit.seconds_to_wait() == 0
    clock.now += OPEN

    assert circuit.seconds_to_wait() == 0


def test_the_wish_of_the_server_is_honoured_from_the_first_time(circuit: Breaker, clock: Clock) -> None:
    circuit.failed(wait=60)

    assert circuit.seconds_to_wait() == 60
    clock.now += 60
    assert circuit.seconds_to_wait() == 0
