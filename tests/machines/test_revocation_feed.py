"""Two resource servers without a shared cache follow the feed: under load, and while it is cut for half a minute.

`make feed` prints the delays. A request that begins MAX_DELAY seconds after a revocation was acknowledged is never
accepted; this is asserted, the delays are not.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, ClassVar

import pytest

from tests.authorization_server.racing import in_threads
from tests.faults.slow_link import SlowLink
from tests.web_servers.running import PYTHON, PostgreSQL, running

from .site import Site, running_site

MAX_DELAY = 5
REVOCATIONS = int(os.environ.get("REVOCATIONS", "1000"))
CUT_SECONDS = int(os.environ.get("CUT_SECONDS", "30"))
CUT_REVOCATIONS = 100
STAYING = 100
"""Tokens that are never revoked."""
RESOURCE_SERVER = (
    *(str(PYTHON), "-m", "gunicorn", "--threads=8", "--bind=127.0.0.1:{port}", "--keep-alive=30"),
    "tests.machines.feed_resource_site:wsgi",
)


@dataclass
class World:
    site: Site
    link: SlowLink
    ports: list[int]
    ended: dict[str, float] = field(default_factory=dict)
    """When the revocation of a token was acknowledged."""
    begun: set[str] = field(default_factory=set)
    """The tokens whose revocation was asked for."""


@pytest.fixture(scope="module")
def world(postgresql: PostgreSQL) -> Iterator[World]:
    with ExitStack() as stack:
        site = stack.enter_context(running_site("tests.machines.feed_site", PORT=str(postgresql.port)))
        link = stack.enter_context(SlowLink(site.port))
        client_id, secret = site.made["api"]
        environment = {
            "AUTHORIZATION_SERVER": f"http://127.0.0.1:{site.port}",
            "FEED": f"http://127.0.0.1:{link.port}",
            "CLIENT_ID": client_id,
            "CLIENT_SECRET": secret,
        }
        ports = [stack.enter_context(running(RESOURCE_SERVER, **environment)) for _ in range(2)]
        yield World(site, link, ports)


class Viewer:
    """Show tokens to a resource server on one connection, which is closed at the end of the test."""

    opened: ClassVar[list[http.client.HTTPConnection]] = []

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.opened.append(self._connection)

    def get(self, path: str, token: str = "") -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode()

    def status(self, token: str) -> int:
        return self.get("/view", token)[0]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while Viewer.opened:
        Viewer.opened.pop().close()


def shared_out(works: list[Any], do: Callable[[Any], Any], threads: int = 4) -> None:
    in_threads([lambda share=works[n::threads]: [do(each) for each in share] for n in range(threads)])  # type: ignore[misc]  # defaults


def issue(world: World, number: int) -> list[str]:
    tokens: list[str] = []
    shared_out(list(range(number)), lambda _: tokens.append(world.site.issue()))
    return tokens


def warm(world: World, tokens: list[str]) -> None:
    """Let both resource servers keep an answer about each token."""
    for port in world.ports:
        viewer = Viewer(port)
        assert {viewer.status(token) for token in tokens} == {200}


def is_fresh(port: int) -> bool:
    return Viewer(port).get("/state")[1].startswith("1")


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


class Load:
    """Show tokens at random to both resource servers, and collect each answer that is wrong."""

    def __init__(self, world: World, tokens: list[str]) -> None:
        self._world, self._tokens, self.is_over = world, tokens, threading.Event()
        self.requests, self.accepted_in_time, self.wrong = 0, 0, list[str]()

    def run(self, port: int) -> None:
        viewer, chance = Viewer(port), random.Random(port)  # noqa: S311 - no secret
        while not self.is_over.is_set():
            token = chance.choice(self._tokens)
            ended_at, began = self._world.ended.get(token), time.monotonic()
            status = viewer.status(token)
            self.requests += 1
            if status == 200 and ended_at is not None and began > ended_at:
                self.accepted_in_time += 1
                if began > ended_at + MAX_DELAY:
                    self.wrong.append(f"{began - ended_at:.1f} s after its end")
            elif status != 200 and token not in self._world.begun:
                self.wrong.append(f"a live token got {status}")


def revoke(world: World, token: str) -> None:
    world.begun.add(token)
    assert world.site.revoke(token).status == 200
    world.ended[token] = time.monotonic()


class Probe:
    """Show a token that was revoked to one resource server until it is refused, and note how long that took."""

    def __init__(self, world: World, port: int) -> None:
        self._world, self._port = world, port
        self.tokens, self.refused = SimpleQueue[str | None](), threading.Semaphore(0)
        self.delays: list[float] = []

    def run(self) -> None:
        viewer = Viewer(self._port)
        while (token := self.tokens.get()) is not None:
            ended_at = self._world.ended[token]
            while True:
                began = time.monotonic()
                if viewer.status(token) == 401:
                    break
                assert began < ended_at + MAX_DELAY, "accepted after the bound"
            self.delays.append(max(began - ended_at, 0))
            self.refused.release()


def revoke_and_probe(world: World, tokens: list[str], probes: list[Probe]) -> None:
    """Revoke one token after the other, each when both resource servers have refused the one before.

    A delay would otherwise be the time in which the probes are busy with earlier tokens.
    """
    try:
        for token in tokens:
            revoke(world, token)
            for probe in probes:
                probe.tokens.put(token)
            for probe in probes:
                assert probe.refused.acquire(timeout=30)
    finally:
        for probe in probes:
            probe.tokens.put(None)


def test_a_thousand_revocations_under_load(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    ending, staying = issue(world, REVOCATIONS), issue(world, STAYING)
    warm(world, ending + staying)
    for port in world.ports:
        until(lambda port=port: is_fresh(port))  # type: ignore[misc]  # a default
    load, probes = Load(world, ending + staying), [Probe(world, port) for port in world.ports]

    def revoke_all() -> None:
        try:
            in_threads([lambda: revoke_and_probe(world, ending, probes), *(probe.run for probe in probes)])
        finally:
            load.is_over.set()

    in_threads([revoke_all, *(lambda port=port: load.run(port) for port in world.ports)])  # type: ignore[misc]  # defaults
    delays = [delay for probe in probes for delay in probe.delays]
    marks = statistics.quantiles(delays, n=100)
    report(
        capsys,
        revocations=len(ending),
        delays=len(delays),
        p50_ms=round(marks[49] * 1000, 1),
        p99_ms=round(marks[98] * 1000, 1),
        max_ms=round(max(delays) * 1000, 1),
        requests=load.requests,
        kept_in_process=[int(Viewer(port).get("/state")[1].split()[1]) for port in world.ports],
        wrong=len(load.wrong),
    )
    assert len(delays) == 2 * len(ending)
    assert load.wrong == []


def test_a_feed_that_is_cut_lets_nothing_be_accepted_wrongly(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    ending, staying = issue(world, CUT_REVOCATIONS), issue(world, STAYING)
    warm(world, ending + staying)
    for port in world.ports:
        until(lambda port=port: is_fresh(port))  # type: ignore[misc]  # a default
    load, became_late = Load(world, ending + staying), dict[int, float]()

    def cut() -> None:
        try:
            began = time.monotonic()
            world.link.is_black_hole = True
            for token in ending:
                revoke(world, token)
                for port in world.ports:
                    if port not in became_late and not is_fresh(port):
                        became_late[port] = time.monotonic() - began
                time.sleep(max(began + CUT_SECONDS / CUT_REVOCATIONS * len(world.ended) - time.monotonic(), 0))
            time.sleep(max(began + CUT_SECONDS - time.monotonic(), 0))
            assert not any(map(is_fresh, world.ports))
        finally:
            world.link.is_black_hole = False
            load.is_over.set()

    world.ended.clear()
    in_threads([cut, *(lambda port=port: load.run(port) for port in world.ports)])  # type: ignore[misc]  # defaults
    for port in world.ports:
        until(lambda port=port: is_fresh(port))  # type: ignore[misc]  # a default
    report(
        capsys,
        cut_seconds=CUT_SECONDS,
        revocations=len(ending),
        late_after_s=[round(seconds, 1) for seconds in became_late.values()],
        requests=load.requests,
        accepted_before_the_bound=load.accepted_in_time,
        wrong=len(load.wrong),
    )
    assert load.wrong == []
    assert max(became_late.values()) < MAX_DELAY + 1
    for port in world.ports:
        viewer = Viewer(port)
        assert {viewer.status(token) for token in ending} == {401}
        assert {viewer.status(token) for token in staying} == {200}


def report(capsys: pytest.CaptureFixture[str], **figures: Any) -> None:
    with capsys.disabled():
        print(f"\n{json.dumps(figures)}")
