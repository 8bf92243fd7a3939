"""Connections to an authorization server: reused, remembered for nothing, closed with their loop."""

from __future__ import annotations

import ast
import asyncio
import gc
import ssl
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

import httpcore2
import httpx2
import pytest
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.outbound import transport, ways
from tests.misbehaving.server import CERTIFICATE, MisbehavingServer, remote_settings, silent_url

TOKEN = "some-token"


def test_one_connection_serves_many_calls(authorization_server: MisbehavingServer) -> None:
    for _ in range(3):
        assert introspect(TOKEN)

    assert authorization_server.connections == 1


def test_the_head_and_the_body_of_a_request_are_sent_at_once(authorization_server: MisbehavingServer) -> None:
    introspect(TOKEN)
    sent: list[str] = []

    def note(frame: Any, event: str, function: Any) -> None:
        if event == "c_call" and function.__name__ in ("send", "sendall") and "socket" in repr(function):
            sent.append(function.__name__)

    sys.setprofile(note)
    try:
        introspect(TOKEN)
    finally:
        sys.setprofile(None)

    assert len(sent) == 1


def test_one_connection_serves_many_calls_of_one_loop(authorization_server: MisbehavingServer) -> None:
    async def three() -> list[Any]:
        return [await aintrospect(TOKEN) for _ in range(3)]

    assert all(async_to_sync(three)())
    assert authorization_server.connections == 1


@pytest.mark.parametrize("behaviour", ["closes instead of a second answer", "closes after each answer without a word"])
def test_a_connection_that_went_stale_is_no_failure(behaviour: str, authorization_server: MisbehavingServer) -> None:
    authorization_server.behave(behaviour)

    assert introspect(TOKEN)
    assert introspect(TOKEN)
    assert authorization_server.connections == 2


@pytest.mark.parametrize("behaviour", ["closes instead of a second answer", "closes after each answer without a word"])
def test_a_connection_that_went_stale_is_no_failure_for_async_callers(
    behaviour: str, authorization_server: MisbehavingServer
) -> None:
    authorization_server.behave(behaviour)

    async def twice() -> list[Any]:
        return [await aintrospect(TOKEN), await aintrospect(TOKEN)]

    assert all(async_to_sync(twice)())
    assert authorization_server.connections == 2


@pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
def test_a_server_that_only_ever_closes_is_tried_twice(call: Any, authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("closes before the answer")

    with pytest.raises(IntrospectionUnavailable, match="cannot be reached"):
        call(TOKEN)

    assert len(authorization_server.requests) == 2


@pytest.mark.parametrize("behaviour", ["status 500", "HTML", "inactive", "body over the limit"])
def test_an_answer_however_bad_is_not_asked_for_twice(behaviour: str, authorization_server: MisbehavingServer) -> None:
    authorization_server.behave(behaviour)

    _ignoring_failure(introspect)

    assert len(authorization_server.requests) == 1


@pytest.mark.parametrize("behaviour", ["status 500", "body over the limit", "gzip cut off", "HTML"])
def test_after_a_bad_answer_the_next_call_gets_its_own_answer(
    behaviour: str, authorization_server: MisbehavingServer
) -> None:
    authorization_server.behave(behaviour)
    _ignoring_failure(introspect)
    authorization_server.behave("active", sub="next")

    info = introspect(TOKEN)

    assert info is not None
    assert info.sub == "next"


def _ignoring_failure(call: Any) -> None:
    with suppress(IntrospectionUnavailable):
        call(TOKEN)


@pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
def test_a_cookie_of_the_server_does_not_come_back(call: Any, authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("sets a cookie")

    call(TOKEN)
    call(TOKEN)

    assert [request.headers["Cookie"] for request in authorization_server.requests] == [None, None]


@pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
def test_the_environment_sends_tokens_nowhere_else(
    call: Any, authorization_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    with MisbehavingServer("active") as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/introspect"))
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        token_backends.close()

        call(TOKEN)

        assert proxy.connections == 0
    (request,) = authorization_server.requests
    assert "somebody" not in request.headers["Authorization"]


def test_threads_share_one_backend_and_each_gets_its_own_answer(authorization_server: MisbehavingServer) -> None:
    with ThreadPoolExecutor(8) as pool:
        infos = list(pool.map(introspect, [f"{TOKEN}-{number}" for number in range(24)]))

    assert all(infos)
    assert sorted(request.form["token"][0] for request in authorization_server.requests) == sorted(
        f"{TOKEN}-{number}" for number in range(24)
    )
    assert authorization_server.connections <= 8


@pytest.mark.parametrize(
    "run", [lambda call: asyncio.run(call()), lambda call: async_to_sync(call)()], ids=["loop", "short-lived loop"]
)
def test_calls_of_one_loop_run_at_the_same_time(run: Any, authorization_server: MisbehavingServer) -> None:
    """The server answers none before all have come: one after another they would never be answered."""
    authorization_server.behave("answers when all have come", barrier=threading.Barrier(5))

    async def many() -> list[Any]:
        return await asyncio.gather(*(aintrospect(f"{TOKEN}-{number}") for number in range(5)))

    assert all(run(many))
    assert authorization_server.connections == 5


def test_many_calls_of_one_loop_each_get_their_own_answer(authorization_server: MisbehavingServer) -> None:
    async def many() -> list[Any]:
        return await asyncio.gather(*(aintrospect(f"{TOKEN}-{number}") for number in range(10)))

    assert all(async_to_sync(many)())
    assert len({request.form["token"][0] for request in authorization_server.requests}) == 10


def test_a_loop_that_ends_takes_its_connections_along(authorization_server: MisbehavingServer) -> None:
    """A socket that was left open would be a ResourceWarning here, and the warning an error."""
    for _ in range(3):
        assert asyncio.run(aintrospect(TOKEN))
        gc.collect()

    assert authorization_server.connections == 3


def test_calls_under_async_to_sync_share_a_connection_of_threads(
    authorization_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that lives for one call has nothing to keep a connection for: its calls use the one of the threads."""
    opened = []
    monkeypatch.setattr(transport, "open_async_pool", lambda *_: opened.append(1))

    for number in range(50):
        assert async_to_sync(aintrospect)(f"{TOKEN}-{number}")
    gc.collect()

    assert opened == []
    assert authorization_server.connections == 1


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # of loops that a program closed too early
def test_a_loop_that_is_closed_without_a_farewell_leaves_nothing_behind(
    authorization_server: MisbehavingServer,
) -> None:
    loops = WeakSet[asyncio.AbstractEventLoop]()
    before = len(sockets_to(authorization_server))
    for _ in range(3):
        loop = asyncio.new_event_loop()
        loops.add(loop)
        assert loop.run_until_complete(aintrospect(TOKEN))
        loop.close()
    del loop
    gc.collect()

    assert list(loops) == []
    assert len(sockets_to(authorization_server)) == before


def sockets_to(server: MisbehavingServer) -> list[str]:
    """Return the sockets of this process that are connected to a server (Linux)."""
    port = f"{int(server.origin.rpartition(':')[2]):04X}"
    connected = Path("/proc/net/tcp").read_text().splitlines()[1:]
    inodes = {line.split()[9] for line in connected if line.split()[2].endswith(f":{port}")}
    own = [link.readlink().name for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [name for name in own if name.removeprefix("socket:[").removesuffix("]") in inodes]


@pytest.mark.parametrize(
    "run", [lambda call: asyncio.run(call()), lambda call: async_to_sync(call)()], ids=["loop", "short-lived loop"]
)
def test_a_call_that_is_cancelled_leaves_the_connection_usable(
    run: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(timeout=2)  # a thread waits until then
    authorization_server.behave("hangs before the answer")

    async def cancelled_then_active() -> Any:
        task = asyncio.ensure_future(aintrospect(TOKEN))
        await asyncio.to_thread(authorization_server.hanging.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        authorization_server.behave("active", sub="next")
        return await aintrospect(TOKEN)

    assert run(cancelled_then_active).sub == "next"


def test_a_backend_that_is_closed_gives_up_its_connections(authorization_server: MisbehavingServer) -> None:
    introspect(TOKEN)
    token_backends.close()
    gc.collect()
    introspect(TOKEN)

    assert authorization_server.connections == 2


@pytest.mark.requirement("7662-4-j")
@pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
def test_a_certificate_that_nobody_vouches_for_is_refused_and_nothing_is_sent(call: Any, settings: Any) -> None:
    with MisbehavingServer(tls=True) as server:
        settings.TOKEN_INTROSPECTION = server.settings()

        with pytest.raises(IntrospectionUnavailable, match="ConnectError"):
            call(TOKEN)

        assert server.connections
        assert server.requests == []


@pytest.mark.requirement("7662-4-j")
@pytest.mark.parametrize("verify", [CERTIFICATE, False], ids=["own authority", "not verified"])
@pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
def test_a_project_may_name_its_own_authority_or_none(call: Any, verify: Any, settings: Any) -> None:
    with MisbehavingServer(tls=True) as server:
        settings.TOKEN_INTROSPECTION = server.settings(verify=verify)

        assert call(TOKEN) is not None


@pytest.fixture
def new_context() -> Iterator[None]:
    """Let the context that transports share be made anew, and once more after the test."""
    ways.default_ssl_context.cache_clear()
    yield
    ways.default_ssl_context.cache_clear()


@pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
def test_authorities_of_the_environment_are_not_trusted(
    call: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, new_context: None
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", CERTIFICATE)
    assert ssl.create_default_context().cert_store_stats()["x509"] == 1, "Python itself reads it"
    monkeypatch.setenv("SSL_CERT_DIR", str(Path(CERTIFICATE).parent))
    with MisbehavingServer(tls=True) as server:
        settings.TOKEN_INTROSPECTION = server.settings()

        with pytest.raises(IntrospectionUnavailable, match="ConnectError"):
            call(TOKEN)

        assert server.requests == []
        assert transport.Transport(verify=True).ssl_context.cert_store_stats()["x509"] > 1, "those of the machine are"


def test_an_authority_of_the_settings_is_the_only_one(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    with MisbehavingServer(tls=True) as server:
        settings.TOKEN_INTROSPECTION = server.settings(verify=CERTIFICATE)

        assert introspect(TOKEN) is not None


@pytest.mark.requirement("7662-4-j")
@pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
def test_a_certificate_for_another_host_is_refused(call: Any, settings: Any) -> None:
    with MisbehavingServer(tls=True) as server:
        elsewhere = server.url.replace("127.0.0.1", "127.0.0.2")
        settings.TOKEN_INTROSPECTION = remote_settings(elsewhere, verify=CERTIFICATE)

        with pytest.raises(IntrospectionUnavailable):
            call(TOKEN)

        assert server.requests == []


@pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
def test_every_address_of_a_name_is_tried(call: Any, authorization_server: MisbehavingServer, settings: Any) -> None:
    """`localhost` has two addresses on most machines; the server listens on the IPv4 one alone."""
    settings.TOKEN_INTROSPECTION = remote_settings(authorization_server.url.replace("127.0.0.1", "localhost"))

    assert call(TOKEN) is not None


def test_a_handshake_that_is_cut_off_leaves_no_socket_open(settings: Any) -> None:
    """A socket that was left open would be a ResourceWarning here, and the warning an error."""

    async def cancelled() -> None:
        task = asyncio.ensure_future(aintrospect(TOKEN))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with silent_url("https") as url:
        settings.TOKEN_INTROSPECTION = remote_settings(url, timeout=0.3)
        with pytest.raises(IntrospectionUnavailable):
            asyncio.run(aintrospect(TOKEN))
        settings.TOKEN_INTROSPECTION = remote_settings(url)
        asyncio.run(cancelled())
        gc.collect()


def test_what_is_used_of_the_http_libraries_is_public() -> None:
    """A release of theirs may rename what is private, and every remote backend would stop working at once."""
    public = {
        "httpcore2": set(httpcore2.__all__),
        "httpx2": set(httpx2.__all__) - {"HTTPTransport", "AsyncHTTPTransport"},
    }
    extended = {"NetworkBackend", "NetworkStream", "AsyncNetworkBackend", "AsyncNetworkStream"}
    used = set()
    for module in Path(transport.__file__).parents[1].rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(tuple(public)):
                raise AssertionError(f"{module}: write `import {node.module}`, so that this test sees what is used")
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in public:
                assert node.attr in public[node.value.id], f"{module}:{node.lineno}"
                used.add(node.attr)
            if isinstance(node, ast.ClassDef):
                bases = [base for base in node.bases if isinstance(base, ast.Attribute)]
                foreign = {base.attr for base in bases if isinstance(base.value, ast.Name) and base.value.id in public}
                assert foreign <= extended, f"{module}:{node.lineno}"

    assert {"ConnectionPool", "AsyncConnectionPool", "create_ssl_context"} <= used


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://as.example.com/introspect?a=b", "as.example.com", b"/introspect?a=b"),
        ("https://as.example.com:443/introspect", "as.example.com", b"/introspect"),
        ("https://as.example.com:8443", "as.example.com:8443", b"/"),
        ("https://[::1]:8443/introspect", "[::1]:8443", b"/introspect"),
        ("https://m\N{LATIN SMALL LETTER U WITH DIAERESIS}nchen.example/a b", "xn--mnchen-3ya.example", b"/a%20b"),
    ],
)
def test_the_host_header_names_the_host_of_the_url(url: str, host: str, target: bytes) -> None:
    parsed, header = ways.parse_url(url)

    assert (header, parsed.target) == (host, target)
