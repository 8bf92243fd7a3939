"""Hostile paths as bytes on the wire, through the servers that people run."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.web_servers.running import free_port

SITE = "tests.web_servers.protected_site"
SERVERS = {
    "gunicorn": ["gunicorn", "--threads=2", "--bind=127.0.0.1:{port}", f"{SITE}:wsgi"],
    "uvicorn": ["uvicorn", "--port={port}", "--lifespan=off", f"{SITE}:asgi"],
    "uvicorn, root path": ["uvicorn", "--port={port}", "--lifespan=off", "--root-path=/shop", f"{SITE}:asgi"],
    "granian": ["granian", "--interface=asginl", "--port={port}", f"{SITE}:asgi"],
    "granian, WSGI": ["granian", "--interface=wsgi", "--port={port}", f"{SITE}:wsgi"],
}


@pytest.fixture(scope="module", params=SERVERS)
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    free = free_port()
    command = [each.format(port=free) for each in SERVERS[request.param]]
    with subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            deadline = time.monotonic() + 30
            while status(free, b"/open/x") != 200:
                assert server.poll() is None, f"{request.param} ended"
                assert time.monotonic() < deadline, f"{request.param} does not answer"
                time.sleep(0.1)
            yield free
        finally:
            server.terminate()


def status(port: int, target: bytes, token: str | None = None) -> int:
    """Send one request line as it is, as `curl --path-as-is` does; 0 if nobody answers."""
    authorization = f"Authorization: Bearer {token}\r\n".encode() if token else b""
    head = b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n%b\r\n" % (target, authorization)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(head)
            answer = connection.makefile("rb").readline()
    except OSError:
        return 0
    return int(answer.split()[1]) if answer else 400  # uvicorn may hang up on what is no HTTP


HOSTILE = [
    b"/api/graphql", b"/api/graphqlX", b"/api/graphql/../../x", b"/api/graphql/%2e%2e/%2e%2e/x",
    b"/api/graphql/%252e%252e/%252e%252e/x", b"/api/../5", b"/api/%2e%2e/5", b"/internal/a/../../x",
    b"/internal/a%2f..%2f..%2fx", b"/internal/%2e%2e%5cx", b"/api/admin/wipe/../../x", b"/api//admin/wipe",
    b"//api/graphql", b"///api/graphql", b"/./api/graphql", b"/open/../api/graphql", b"/open/..%2fapi/graphql",
    b"/open/..;/api/graphql", b"/%61pi/graphql", b"/%2561pi/graphql", b"/api%2fgraphql", b"/api%252fgraphql",
    b"/API/graphql", b"/api%5cgraphql", b"/api\\graphql", b"/api%0a", b"/api%00/graphql", b"/api%3fx", b"/api%23x",
    b"/%20api/graphql", b"/internal/%ff%fe", b"/shop/api/graphql", b"http://127.0.0.1/api/graphql",
    b"/shop/../api/graphql", b"/shop/open/../../api/graphql",
]  # fmt: skip


@pytest.mark.parametrize("target", HOSTILE)
def test_no_request_line_reaches_a_protected_view_without_a_token(target: bytes, port: int) -> None:
    assert status(port, target) in (400, 401, 404)


@pytest.mark.parametrize(
    "target", [b"/api/admin/wipe", b"/api/admin/wipeX", b"/api/admin%2fwipe", b"/api//admin/wipe",
               b"/api/admin/wipe/../../x", b"/api/admin/wipe/%2e%2e/%2e%2e/x", b"/API/Admin/wipe"]
)  # fmt: skip
def test_no_request_line_reaches_a_narrower_path_with_the_token_of_a_wider_one(target: bytes, port: int) -> None:
    assert status(port, target, "read") in (400, 403, 404)


def test_the_right_token_opens_the_view_and_open_paths_stay_open(port: int) -> None:
    assert status(port, b"/api/graphql", "read") == 200
    assert status(port, b"/api/admin/wipe", "admin") == 200
    assert status(port, b"/open/a%2fb/..%2fx/%20y//z") == 200
