"""Processes that are forked after the site was loaded share no connection with their parent or with each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.misbehaving.server import MisbehavingServer

from .running import PYTHON, get, running

SITE = "tests.web_servers.remote_site"
FORKING = {
    "gunicorn": [str(PYTHON), "-m", "gunicorn", "--preload", "--workers=2", "--bind=127.0.0.1:{port}", f"{SITE}:wsgi"],
    "uWSGI": [
        *(str(PYTHON.with_name("uwsgi")), "--http-socket=127.0.0.1:{port}", "--master", "--processes=2"),
        *("--need-app", "--die-on-term", f"--module={SITE}:wsgi"),
    ],
}


@pytest.fixture
def authorization_server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        yield server


@pytest.mark.parametrize("command", FORKING.values(), ids=FORKING)
def test_every_process_has_a_connection_of_its_own(command: list[str], authorization_server: MisbehavingServer) -> None:
    with running(command, INTROSPECTION_URL=authorization_server.url) as port:
        assert authorization_server.connections == 1
        answers = {get(port, "/plain", f"token-{number}") for number in range(40)}

    assert {status for status, _ in answers} == {200}
    processes = {process for _, process in answers}
    assert authorization_server.connections == 1 + len(processes)
