"""One request to another server: reused connections, one deadline, no redirects, nothing remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from threading import Lock
from urllib.parse import urlsplit

import httpcore2
from asgiref.sync import sync_to_async

from ..protocol.errors import IntrospectionUnavailable
from .async_transport import LoopPool, open_async_pool
from .bodies import append, unpack
from .deadline import seconds_left
from .instrumentation import instrumentation
from .loop_local import LoopLocal
from .messages import Reply, Request
from .steps import Pause, Step, Steps, is_short_lived
from .sync_transport import open_pool
from .ways import make_ssl_context, parse_url, read_proxy

_FAILURES = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.TimeoutException,
    httpcore2.UnsupportedProtocol,
)
_STALE = (httpcore2.RemoteProtocolError, httpcore2.ReadError, httpcore2.WriteError)
"""Errors of a kept connection that the server has closed meanwhile: worth one more try."""
_UNCONNECTED = (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.ProxyError)
AWAY = frozenset({502, 503, 504})
"""The statuses of a proxy whose server is down or restarts: worth one more try."""
_RETRY_PAUSE = 0.05
"""Seconds."""


class Unreachable(IntrospectionUnavailable):
    """The server did not reply: it is down, or something on the way to it is."""


class Unconnected(Unreachable):
    """No connection to the server came about, so it has heard nothing."""


class Transport:
    """Send requests; safe for threads and for any number of event loops.

    Each call is bounded by `deadline()`, the sync one's name resolution excepted; connecting may take half of it. Proxy
    settings and netrc files of the environment are not read: a token goes to the configured host or nowhere. The sync
    calls connect only to addresses for which `allows` returns True, if it is given. `certificate` is what the client
    shows in the TLS handshake: a file, or one with the certificate and one with its key. `proxy` is the URL of an HTTP
    proxy, which may hold credentials. `headers` go with every request, and a `Host` among them replaces the usual one.
    """

    def __init__(
        self,
        *,
        verify: bool | str,
        certificate: Sequence[str] = (),
        allows: Callable[[str], bool] | None = None,
        proxy: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.ssl_context = make_ssl_context(verify, certificate)
        self._proxy = None if proxy is None else read_proxy(proxy)
        self._headers = dict(headers or {})
        self._pool = open_pool(self.ssl_context, allows, self._proxy)
        self._pools_of_loops: LoopLocal[LoopPool] = LoopLocal()
        self._lock = Lock()
        self._under_way = 0
        self._is_closed = False

    @property
    def proxy_url(self) -> str | None:
        """The URL of the proxy without its credentials."""
        if self._proxy is None:
            return None
        url = self._proxy.url
        return f"{url.scheme.decode()}://{url.host.decode()}" + (f":{url.port}" if url.port else "")

    def send(self, request: Request) -> Step[Reply]:
        """Return the step that sends a request and reads the reply; raises IntrospectionUnavailable."""
        around = instrumentation.around
        return _Send(self, request) if around is None else around(request, partial(_Send, self))

    def exchange(self, request: Callable[[], Request]) -> Steps[Reply]:
        """Send a request that does no harm twice: once more if the server did not receive it or was just away.

        `request` makes it anew each time, since a client assertion is accepted only once.
        """
        try:
            reply = yield from self.send(request())
        except Unconnected:
            if not seconds_left():
                raise
        else:
            if reply.status not in AWAY or "retry-after" in reply.headers:
                return reply
        yield from Pause(_RETRY_PAUSE)
        return (yield from self.send(request()))

    def close(self) -> None:
        """Close the connections. Requests that are under way or begin later end as usual, and the last one closes."""
        with self._lock:
            self._is_closed = True
            is_idle = not self._under_way
        if is_idle:
            self._pool.close()
        for loop in self._pools_of_loops.loops():
            with suppress(RuntimeError):  # the loop is closed, and its connections with it
                loop.call_soon_threadsafe(self._close_on_loop)

    def headers_for(self, host: str) -> dict[str, str]:
        """Return the headers that go with every request to a host."""
        return {"Host": host, **self._headers}

    def send_now(self, request: httpcore2.Request) -> Reply:
        """Send a request in this thread."""
        with self._lock:
            self._under_way += 1
        try:
            response = self._pool.handle_request(request)
            body = bytearray()
            try:
                for chunk in response.iter_stream():
                    append(body, chunk)
            finally:
                response.close()
            return _read(request, response, body)
        finally:
            with self._lock:
                self._under_way -= 1
                is_last = self._is_closed and not self._under_way
            if is_last:
                self._pool.close()

    async def send_on_loop(self, request: httpcore2.Request) -> Reply:
        """Send a request on the running event loop."""
        kept = await self._pool_of_loop()
        kept.under_way += 1
        try:
            response = await kept.pool.handle_async_request(request)
            body = bytearray()
            try:
                async for chunk in response.aiter_stream():
                    append(body, chunk)
            finally:
                await response.aclose()
            return _read(request, response, body)
        finally:
            kept.under_way -= 1
            if self._is_closed:
                self._close_on_loop()

    async def _pool_of_loop(self) -> LoopPool:
        kept = self._pools_of_loops.get()
        if kept is None:
            kept = self._pools_of_loops.set(LoopPool(open_async_pool(self.ssl_context, self._proxy)))
            await kept.until_loop_closes()
        return kept

    def _close_on_loop(self) -> None:
        """Close the connections of the running event loop, unless a request is under way there."""
        kept = self._pools_of_loops.get()
        if kept is not None and not kept.under_way:
            self._pools_of_loops.drop()
            kept.close_soon()


class _Send(Step[Reply]):
    def __init__(self, transport: Transport, request: Request) -> None:
        self._transport, self._request = transport, request

    def run(self) -> Reply:
        try:
            try:
                return self._transport.send_now(self._http_request())
            except _STALE:
                return self._transport.send_now(self._http_request())
        except _FAILURES as error:
            raise self._unreachable(error) from None

    async def arun(self) -> Reply:
        if is_short_lived(asyncio.get_running_loop()):
            return await sync_to_async(self.run, thread_sensitive=False)()
        try:
            async with asyncio.timeout(seconds_left()):
                try:
                    return await self._transport.send_on_loop(self._http_request())
                except _STALE:
                    return await self._transport.send_on_loop(self._http_request())
        except (*_FAILURES, TimeoutError) as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> Unreachable:
        """Name the failure by its types and the status of a proxy: messages and frames could hold what was sent."""
        kind = Unconnected if isinstance(error, _UNCONNECTED) else Unreachable
        proxy = self._transport.proxy_url
        way = "" if proxy is None else f" through the proxy {urlsplit(proxy).netloc}"
        return kind(f"{host_of(self._request.url)} cannot be reached{way}: {_kind_of(error)}")

    def _http_request(self) -> httpcore2.Request:
        request, left = self._request, seconds_left()
        url, host = parse_url(request.url)
        length = [("Content-Length", str(len(request.body)))] if request.body else []
        return httpcore2.Request(
            request.method,
            url,
            headers=[*self._transport.headers_for(host).items(), *length, *request.headers.items()],
            content=request.body,
            extensions={"timeout": {"connect": left / 2, "read": left, "write": left, "pool": left}},
        )


def _kind_of(error: Exception) -> str:
    """Return the type of a failure, with the reason if no connection came about."""
    name, reason = type(error).__name__, error.__context__
    if isinstance(error, httpcore2.ProxyError):  # its message begins with the status by which the proxy refuses
        return f"{name} {str(error)[:3]}" if str(error)[:3].isdigit() else name
    if isinstance(error, httpcore2.ConnectError) and isinstance(reason, OSError):
        return f"{name} ({type(reason).__name__})"
    return name


def host_of(url: str) -> str:
    """Return the host of a URL for people, with the port if the URL names one."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _read(request: httpcore2.Request, response: httpcore2.Response, body: bytearray) -> Reply:
    """Return a reply, unpacked if it is gzip: then it has no `Content-Encoding` any more."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    url = request.url
    host = url.host.decode("ascii") + ("" if url.port is None else f":{url.port}")
    unpacked = unpack(headers.get("content-encoding", ""), body)
    if unpacked is None:
        return Reply(response.status, headers, bytes(body), host)
    del headers["content-encoding"]
    return Reply(response.status, headers, unpacked, host)
