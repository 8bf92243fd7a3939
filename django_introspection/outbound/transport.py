"""One request to another server: reused connections, one deadline, no redirects, nothing remembered."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

import httpx2
from asgiref.sync import sync_to_async
from django.views.decorators.debug import sensitive_variables

from ..protocol.errors import IntrospectionUnavailable, InvalidResponse
from ..protocol.introspection import MAX_RESPONSE
from .async_transport import AsyncTransport
from .deadline import seconds_left
from .steps import Pause, Step, Steps, is_short_lived
from .sync_transport import DeadlineTransport

_STALE = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
"""What a kept-alive connection looks like that the server closed meanwhile: worth one more try."""
_UNCONNECTED = (httpx2.ConnectError, httpx2.ConnectTimeout)
_PASSING = frozenset({502, 503, 504})
"""What a server behind a proxy answers while it starts again: worth one more try."""
_RETRY_PAUSE = 0.05
"""Seconds."""
_ACCEPT = {"Accept": "application/json", "Accept-Encoding": "identity"}
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request; what it sends is nobody's to see."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @classmethod
    def get(cls, url: str) -> Request:
        """Ask for a document."""
        return cls("GET", url, _ACCEPT)

    @classmethod
    def post(cls, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Request:
        """Send a form."""
        return cls("POST", url, {**_ACCEPT, "Content-Type": _FORM, **headers}, urlencode(form).encode())


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Unconnected(IntrospectionUnavailable):
    """No connection to the server came about, so it has heard nothing."""


class Transport:
    """Send requests; safe for threads and for any number of event loops.

    Each call is bounded by `deadline()`, the sync one's name resolution excepted; connecting may take half of it. Proxy
    settings and netrc files of the environment are not read: a token goes to the configured host or nowhere. The sync
    calls connect only to addresses that `allows` says, where it is given. `certificate` is what the client shows in
    the TLS handshake: a file, or one with the certificate and one with its key.
    """

    def __init__(
        self,
        *,
        verify: bool | str,
        certificate: Sequence[str] = (),
        allows: Callable[[str], bool] | None = None,
    ) -> None:
        self.ssl_context = _ssl_context(verify, certificate)
        self._client = DeadlineTransport(self.ssl_context, allows)
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = WeakKeyDictionary()

    def send(self, request: Request) -> Step[Reply]:
        """Return the step that sends a request and reads the reply; raises IntrospectionUnavailable."""
        return _Send(self, request)

    def exchange(self, request: Callable[[], Request]) -> Steps[Reply]:
        """Send a request that does no harm twice: once more where the server did not hear it or was just away.

        `request` makes it anew each time, since a client assertion is good once.
        """
        try:
            reply = yield from self.send(request())
        except Unconnected:
            if not seconds_left():
                raise
        else:
            if reply.status not in _PASSING or "retry-after" in reply.headers:
                return reply
        yield from Pause(_RETRY_PAUSE)
        return (yield from self.send(request()))

    def close(self) -> None:
        """Close the sync client; the async ones are closed with their loops."""
        self._client.close()

    @sensitive_variables()
    def send_now(self, request: httpx2.Request) -> Reply:
        """Send with the sync client."""
        response = self._client.handle_request(request)
        body = bytearray()
        try:
            for chunk in response.iter_raw():
                _append(body, chunk)
        finally:
            response.close()
        return Reply(response.status_code, response.headers, bytes(body))

    @sensitive_variables()
    async def send_on_loop(self, request: httpx2.Request) -> Reply:
        """Send with the client of the running event loop."""
        client = await self._async_client()
        response = await client.handle_async_request(request)
        body = bytearray()
        try:
            async for chunk in response.aiter_raw():
                _append(body, chunk)
        finally:
            await response.aclose()
        return Reply(response.status_code, response.headers, bytes(body))

    async def _async_client(self) -> AsyncTransport:
        loop = asyncio.get_running_loop()
        kept = self._by_loop.get(loop)
        if kept is None:
            kept = self._by_loop[loop] = _Kept(AsyncTransport(self.ssl_context))
            await kept.until_loop_closes()
        return kept.client


class _Send(Step[Reply]):
    def __init__(self, transport: Transport, request: Request) -> None:
        self._transport, self._request = transport, request

    @sensitive_variables()
    def run(self) -> Reply:
        try:
            try:
                return self._transport.send_now(self._http_request())
            except _STALE:
                return self._transport.send_now(self._http_request())
        except httpx2.HTTPError as error:
            raise _unavailable(error) from None

    @sensitive_variables()
    async def arun(self) -> Reply:
        if is_short_lived(asyncio.get_running_loop()):
            return await sync_to_async(self.run, thread_sensitive=False)()
        try:
            async with asyncio.timeout(seconds_left()):
                try:
                    return await self._transport.send_on_loop(self._http_request())
                except _STALE:
                    return await self._transport.send_on_loop(self._http_request())
        except (httpx2.HTTPError, TimeoutError) as error:
            raise _unavailable(error) from None

    def _http_request(self) -> httpx2.Request:
        left = seconds_left()
        timeout = httpx2.Timeout(left, connect=left / 2)
        return httpx2.Request(
            self._request.method,
            self._request.url,
            content=self._request.body or None,
            headers=self._request.headers,
            extensions={"timeout": timeout.as_dict()},
        )


class _Kept:
    """An async client that its event loop closes: `shutdown_asyncgens` ends the generator (PEP 525)."""

    def __init__(self, client: AsyncTransport) -> None:
        self.client = client
        self._closer = self._close_at_end()

    async def until_loop_closes(self) -> None:
        await anext(self._closer)

    async def _close_at_end(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self.client.aclose()


def _append(body: bytearray, chunk: bytes) -> None:
    if len(body) + len(chunk) > MAX_RESPONSE:
        raise InvalidResponse("the response is too large")
    body += chunk


def _ssl_context(verify: bool | str, certificate: Sequence[str]) -> ssl.SSLContext:
    if isinstance(verify, str):
        context = ssl.create_default_context(cafile=verify)
    else:
        context = httpx2.create_ssl_context(verify=verify, trust_env=False)
    if certificate:
        context.load_cert_chain(*certificate)
    return context


def _unavailable(error: Exception) -> IntrospectionUnavailable:
    """Name the failure by its type alone: the message or the frames could hold what was sent."""
    kind = Unconnected if isinstance(error, _UNCONNECTED) else IntrospectionUnavailable
    return kind(f"the authorization server cannot be reached: {type(error).__name__}")
