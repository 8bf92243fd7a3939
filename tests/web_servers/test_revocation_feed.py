"""The feed of revocations in processes that were forked after the site was loaded: each one follows it on its own."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.backends.feed_server import FeedServer, until

from .running import PYTHON, get, running
from .test_processes import FORKING, SITE

UWSGI = [*FORKING["uWSGI"], "--lazy-apps"]
"""The site asks about a token while it is loaded, and uWSGI does not fork safely while a thread runs."""
WITH_THREADS = {
    **FORKING,
    "uWSGI": [*UWSGI, "--enable-threads"],
    "gevent": [
        *(str(PYTHON), "-m", "gunicorn", "--workers=2", "--worker-class=gevent", "--bind=127.0.0.1:{port}"),
        f"{SITE}:wsgi",  # no --preload: gevent must patch Python before the site is loaded
    ],
}
REQUESTS = 20
"""Enough that more than one process answers."""
MAX_DELAY = 2
"""Seconds, as the site has set it."""


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as server:
        yield server


def environment(server: FeedServer) -> dict[str, str]:
    return {"INTROSPECTION_URL": f"{server.origin}/introspect", "REVOCATIONS_URL": f"{server.origin}/revocations"}


def ask(port: int, token: str) -> list[tuple[int, str]]:
    """Return the status and the body of some answers; the body of an accepted token names the process."""
    return [get(port, "/plain", token) for _ in range(REQUESTS)]


@pytest.mark.parametrize("command", WITH_THREADS.values(), ids=WITH_THREADS)
def test_a_revocation_reaches_every_process(command: list[str], server: FeedServer) -> None:
    with running(command, **environment(server)) as port:

        def is_kept() -> bool:
            before = server.questions.count("one")
            answers = ask(port, "one")
            return len(set(answers)) == 2 and server.questions.count("one") == before

        until(is_kept)
        server.end("one")

        assert accepted_after_the_delay(port, "one") == []
        assert {status for status, _ in ask(port, "another")} == {200}


def test_a_thread_that_runs_during_requests_alone_lets_no_revoked_token_pass(server: FeedServer) -> None:
    """As with uWSGI without --enable-threads: between requests the thread stands still, so the feed is often late."""
    with running(UWSGI, **environment(server)) as port:
        assert {status for status, _ in ask(port, "one")} == {200}
        server.end("one")

        assert accepted_after_the_delay(port, "one") == []
        assert {status for status, _ in ask(port, "another")} == {200}


def accepted_after_the_delay(port: int, token: str) -> list[tuple[int, str]]:
    """Return the answers to requests that began MAX_DELAY after now and accepted a token."""
    revoked_at, late = time.monotonic(), list[tuple[int, str]]()
    while len(late) < REQUESTS:
        is_late = time.monotonic() >= revoked_at + MAX_DELAY
        answer = get(port, "/plain", token)
        if is_late:
            late.append(answer)
    return [answer for answer in late if answer[0] != 401]
