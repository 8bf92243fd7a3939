"""Requests that wait for news on an asynchronous web server hold no connection to PostgreSQL, and leave none open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.web_servers.running import PYTHON, PostgreSQL

from .site import Site, running_site

UVICORN = (
    *(str(PYTHON), "-m", "uvicorn", "--port={port}", "--lifespan=off", "--log-level=critical"),
    "django.core.asgi:get_asgi_application",
    "--factory",
)
WAITING = 40
THREAD_OF_NEWS = 1
"""The connection with which the process itself looks for news."""


@pytest.fixture
def site(postgresql: PostgreSQL) -> Iterator[Site]:
    settings = "tests.machines.feed_asgi_site"
    with running_site(settings, UVICORN, PORT=str(postgresql.port), PGAPPNAME="feed-asgi") as running:
        yield running


def page(site: Site, **parameters: str) -> Any:
    answer = site.post("revocations", "api", **parameters)
    assert answer.status == 200, answer
    return answer.members


def connections_of(postgresql: PostgreSQL) -> int:
    with psycopg.connect(postgresql.url) as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'feed-asgi'"
        ).fetchone()
    return int(count)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


def test_waiting_requests_hold_no_connection_and_leave_none(site: Site, postgresql: PostgreSQL) -> None:
    token, cursor = site.issue(), page(site)["cursor"]
    while (first := page(site, after=cursor))["more"]:
        cursor = first["cursor"]
    counts: list[int] = []

    def look() -> bool:
        counts.append(connections_of(postgresql))
        return counts[-1] <= THREAD_OF_NEWS

    with ThreadPoolExecutor(WAITING) as readers:
        pages = [readers.submit(page, site, after=first["cursor"], wait="20") for _ in range(WAITING)]
        until(lambda: connections_of(postgresql) > 0)
        until(look)
        assert not any(each.done() for each in pages)
        assert site.revoke(token).status == 200
        assert [len(each.result()["changes"]) for each in pages] == [1] * WAITING

    until(look)
