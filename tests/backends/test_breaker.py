"""When a server is asked: replies, silence, requests for a pause, and the probe that decides."""

from __future__ import annotations

from typing import Any

import pytest

from django_introspection.backends import breaker
from django_introspection.backends.breaker import ANSWERED, FAILURES, OPEN, Admission, Breaker

ASK, PROBE = Admission(), Admission(probes=True)


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


def stay_silent(circuit: Breaker, times: int = FAILURES) -> None:
    for _ in range(times):
        circuit.was_silent(replies_before=circuit.replies)


def open_circuit(circuit: Breaker) -> None:
    stay_silent(circuit)
    assert circuit.admit() == PROBE
    circuit.probe_failed()


def test_a_few_silences_raise_no_suspicion(circuit: Breaker, changes: list[bool]) -> None:
    stay_silent(circuit, FAILURES - 1)
    assert circuit.admit() == ASK
    circuit.replied()
    stay_silent(circuit, FAILURES - 1)

    assert circuit.admit() == ASK
    assert changes == []


@pytest.mark.parametrize("reply", [Breaker.replied, Breaker.was_busy, Breaker.probe_answered])
def test_silence_does_not_count_if_the_server_has_replied_to_anyone_since(reply: Any, circuit: Breaker) -> None:
    before = circuit.replies
    reply(circuit)
    circuit.replied()

    for _ in range(10 * FAILURES):
        circuit.was_silent(replies_before=before)

    assert circuit.admit() == ASK


@pytest.mark.parametrize("suspect", [stay_silent, Breaker.was_busy], ids=["silent", "busy"])
def test_a_suspicion_is_probed_once_while_the_others_go_on(suspect: Any, circuit: Breaker, changes: list[bool]) -> None:
    suspect(circuit)

    assert [circuit.admit() for _ in range(3)] == [PROBE, ASK, ASK]
    assert changes == []


@pytest.mark.parametrize("suspect", [stay_silent, Breaker.was_busy], ids=["silent", "busy"])
def test_a_probe_that_is_answered_ends_the_suspicion_and_the_next_one_waits(
    suspect: Any, circuit: Breaker, clock: Clock, changes: list[bool]
) -> None:
    suspect(circuit)
    circuit.admit()
    circuit.probe_answered()

    for _ in range(50):
        circuit.was_busy()
        stay_silent(circuit)
    assert circuit.admit() == ASK
    clock.now += ANSWERED
    circuit.was_busy()
    assert circuit.admit() == PROBE
    assert changes == []


def test_a_probe_without_answer_opens_the_circuit_for_a_while(
    circuit: Breaker, clock: Clock, changes: list[bool]
) -> None:
    open_circuit(circuit)

    assert circuit.admit() == Admission(wait=OPEN)
    clock.now += OPEN - 1
    assert circuit.admit() == Admission(wait=1)
    assert changes == [True]


def test_a_reply_to_another_question_does_not_close_it(circuit: Breaker) -> None:
    open_circuit(circuit)

    circuit.replied()

    assert circuit.admit() == Admission(wait=OPEN)


def test_one_probe_at_a_time_tries_an_open_circuit(circuit: Breaker, clock: Clock, changes: list[bool]) -> None:
    open_circuit(circuit)
    clock.now += OPEN

    assert [circuit.admit() for _ in range(3)] == [PROBE, Admission(wait=OPEN), Admission(wait=OPEN)]
    circuit.probe_failed()
    assert circuit.admit() == Admission(wait=OPEN)
    clock.now += OPEN
    assert circuit.admit() == PROBE
    circuit.probe_answered()
    assert [circuit.admit() for _ in range(3)] == [ASK, ASK, ASK]
    assert changes == [True, False]


def test_a_caller_without_time_for_a_probe_leaves_it_to_another(circuit: Breaker, clock: Clock) -> None:
    stay_silent(circuit)
    assert circuit.admit(may_probe=False) == ASK
    assert circuit.admit() == PROBE
    circuit.probe_failed()
    clock.now += OPEN

    assert circuit.admit(may_probe=False) == Admission(wait=1)
    assert circuit.admit() == PROBE


def test_a_probe_that_never_comes_back_blocks_the_others_for_a_while_only(circuit: Breaker, clock: Clock) -> None:
    open_circuit(circuit)
    clock.now += OPEN
    assert circuit.admit() == PROBE
    clock.now += OPEN

    assert circuit.admit() == PROBE


def test_the_time_that_the_server_names_is_honoured(circuit: Breaker, clock: Clock) -> None:
    circuit.was_busy()
    circuit.admit()
    circuit.probe_failed(wait=30)

    assert circuit.admit() == Admission(wait=30)
    clock.now += 30
    assert circuit.admit() == PROBE
