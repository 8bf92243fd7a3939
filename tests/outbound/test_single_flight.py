"""One operation per key at a time: who leads, who waits, and what becomes of them when it goes wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from django_introspection.outbound.deadline import deadline, seconds_left
from django_introspection.outbound.single_flight import SingleFlight
from django_introspection.outbound.steps import Pause, Step, Steps, arun, run
from django_introspection.protocol.errors import IntrospectionUnavailable


class Gate(Step[None]):
    """Wait until a test opens it; `reached` counts who came here."""

    def __init__(self) -> None:
        self.opened, self.reached = threading.Event(), 0

    def run(self) -> None:
        self.reached += 1
        assert self.opened.wait(10)

    async def arun(self) -> None:
        self.reached += 1
        await asyncio.to_thread(self.opened.wait, 10)


def flight(flights: SingleFlight, key: Any, steps: Callable[[], Steps[Any]], *, within: float = 10) -> Any:
    with deadline(within):
        return flights.call_once(key, steps).run()


async def aflight(flights: SingleFlight, key: Any, steps: Callable[[], Steps[Any]], *, within: float = 10) -> Any:
    with deadline(within):
        return await flights.call_once(key, steps).arun()


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.005)
    pytest.fail("it never came to be")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(60) as executor:
        yield executor


def waiting(flights: SingleFlight, number: int) -> Callable[[], bool]:
    """Tell whether so many threads wait for the flight under way."""
    return lambda: sum(len(each.landed._cond._waiters) for each in flights._of_threads.values()) == number  # type: ignore[attr-defined] # nothing public counts them


def test_threads_that_come_together_share_the_flight_that_starts_after_them(pool: ThreadPoolExecutor) -> None:
    flights, gate = SingleFlight(), Gate()

    def steps() -> Steps[int]:
        yield from gate
        return gate.reached

    started = [pool.submit(flight, flights, "key", steps) for _ in range(50)]
    wait_for(waiting(flights, 49))
    gate.opened.set()

    assert sorted(each.result() for each in started) == [1] + [2] * 49


def test_what_was_asked_before_a_caller_came_is_not_its_answer(pool: ThreadPoolExecutor) -> None:
    """A revocation between the two makes all the difference."""
    flights, gate, state = SingleFlight(), Gate(), ["active"]

    def steps() -> Steps[str]:
        judged = state[0]
        yield from gate
        return judged

    before = pool.submit(flight, flights, "key", steps)
    wait_for(lambda: gate.reached == 1)
    state[0] = "revoked"
    after = pool.submit(flight, flights, "key", steps)
    wait_for(waiting(flights, 1))
    gate.opened.set()

    assert (before.result(), after.result()) == ("active", "revoked")


def test_a_caller_that_wakes_up_after_the_second_landing_shares_it(pool: ThreadPoolExecutor) -> None:
    flights, gate = SingleFlight(), Gate()

    def steps() -> Steps[int]:
        yield from gate
        return gate.reached

    leader = pool.submit(flight, flights, "key", steps)
    wait_for(lambda: gate.reached == 1)
    first = flights._of_threads["key"]
    second = pool.submit(flight, flights, "key", steps)
    wait_for(waiting(flights, 1))
    gate.opened.set()
    assert (leader.result(), second.result()) == (1, 2)

    late = flights.board(flights.of_threads(), "key", first, threading.Event())

    assert late.outcome is not None
    assert late.outcome.result() == 2


def test_keys_do_not_wait_for_one_another() -> None:
    flights = SingleFlight()

    def outer() -> Steps[str]:
        return (yield from flights.call_once("inner", inner))

    def inner() -> Steps[str]:
        yield from Pause(0)
        return "done"

    assert flight(flights, "outer", outer) == "done"


def test_a_later_call_does_its_own() -> None:
    flights, done = SingleFlight(), []

    def steps() -> Steps[int]:
        yield from Pause(0)
        done.append(1)
        return len(done)

    assert [flight(flights, "key", steps) for _ in range(3)] == [1, 2, 3]
    assert flights._of_threads == {}


def test_each_who_waits_gets_a_failure_of_its_own(pool: ThreadPoolExecutor) -> None:
    flights, gate = SingleFlight(), Gate()

    def steps() -> Steps[object]:
        yield from gate
        raise IntrospectionUnavailable("it is down", retry_after=7)

    started = [pool.submit(flight, flights, "key", steps) for _ in range(50)]
    wait_for(waiting(flights, 49))
    gate.opened.set()
    failures = [each.exception() for each in started]

    assert {(type(each), str(each), getattr(each, "retry_after", 0)) for each in failures} == {
        (IntrospectionUnavailable, "it is down", 7)
    }
    assert len({id(each) for each in failures}) == 50
    assert gate.reached == 2


def test_a_leader_whose_time_runs_out_hands_over() -> None:
    flights, led = SingleFlight(), []

    def steps() -> Steps[str]:
        led.append(flights._of_threads["key"])
        while seconds_left():
            yield from Pause(0.01)
        raise IntrospectionUnavailable("no answer in time")

    with pytest.raises(IntrospectionUnavailable):
        flight(flights, "key", steps, within=0.05)

    assert led[0].landed.is_set()
    assert led[0].outcome is None, "the callers that wait may have more time"


def test_who_waits_keeps_its_own_deadline(pool: ThreadPoolExecutor) -> None:
    flights, gate = SingleFlight(), Gate()

    def steps() -> Steps[str]:
        yield from gate
        return "late"

    leader = pool.submit(flight, flights, "key", steps)
    wait_for(lambda: gate.reached == 1)
    with pytest.raises(IntrospectionUnavailable, match="deadline"):
        flight(flights, "key", steps, within=0.05)

    assert not leader.done()
    gate.opened.set()
    assert leader.result() == "late"


def test_a_leader_that_dies_hands_over(pool: ThreadPoolExecutor) -> None:
    flights, gate, led = SingleFlight(), Gate(), []

    def steps() -> Steps[str]:
        led.append(1)
        if len(led) == 1:
            yield from gate
            raise KeyboardInterrupt
        yield from Pause(0)
        return "done"

    started = [pool.submit(flight, flights, "key", steps) for _ in range(2)]
    wait_for(waiting(flights, 1))
    gate.opened.set()
    outcomes = [each.exception() or each.result() for each in started]

    assert sorted(map(str, outcomes)) == ["", "done"]
    assert len(led) == 2


def test_tasks_share_the_outcome_and_its_failures() -> None:
    flights, done = SingleFlight(), []

    def steps() -> Steps[object]:
        done.append(1)
        yield from Pause(0.01)
        raise IntrospectionUnavailable("it is down")

    async def many() -> list[Any]:
        calls = [aflight(flights, "key", steps) for _ in range(50)]
        return await asyncio.gather(*calls, return_exceptions=True)

    failures = asyncio.run(many())

    assert len({id(each) for each in failures if isinstance(each, IntrospectionUnavailable)}) == 50
    assert done == [1, 1]


def test_a_task_that_is_cancelled_hands_over() -> None:
    flights, gate = SingleFlight(), Gate()

    def steps() -> Steps[str]:
        yield from gate
        return "done"

    async def story() -> Any:
        leader = asyncio.create_task(aflight(flights, "key", steps))
        follower = asyncio.create_task(aflight(flights, "key", steps))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        leader.cancel()
        gate.opened.set()
        with pytest.raises(asyncio.CancelledError):
            await leader
        return await follower

    assert asyncio.run(story()) == "done"
    assert gate.reached == 2


def test_who_waits_may_be_cancelled_without_harm_to_the_others() -> None:
    flights, gate = SingleFlight(), Gate()

    def steps() -> Steps[str]:
        yield from gate
        return "done"

    async def story() -> Any:
        leader = asyncio.create_task(aflight(flights, "key", steps))
        follower, last = (asyncio.create_task(aflight(flights, "key", steps)) for _ in range(2))
        await asyncio.sleep(0.01)
        follower.cancel()
        with pytest.raises(asyncio.CancelledError):
            await follower
        gate.opened.set()
        return await asyncio.gather(leader, last)

    assert asyncio.run(story()) == ["done", "done"]
    assert gate.reached == 2


def test_a_task_that_waits_keeps_its_own_deadline() -> None:
    flights, gate = SingleFlight(), Gate()

    def steps() -> Steps[str]:
        yield from gate
        return "late"

    async def story() -> Any:
        leader = asyncio.create_task(aflight(flights, "key", steps))
        await asyncio.sleep(0)
        with pytest.raises(IntrospectionUnavailable, match="deadline"):
            await aflight(flights, "key", steps, within=0.05)
        gate.opened.set()
        return await leader

    assert asyncio.run(story()) == "late"


@pytest.mark.parametrize("drive", [run, lambda steps: asyncio.run(arun(steps))], ids=["sync", "async"])
def test_a_step_that_fails_raises_inside_the_operation(drive: Any) -> None:
    class Failing(Step[None]):
        def run(self) -> None:
            raise ValueError("no")

        async def arun(self) -> None:
            self.run()

    def steps() -> Steps[str]:
        try:
            yield from Failing()
        except ValueError:
            yield from Pause(0)
            return "mended"
        return "never"

    assert drive(steps()) == "mended"
