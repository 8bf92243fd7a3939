"""One request to another server: reused connections, one deadline, no redirects, nothing remembered."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

import httpx2
from django.views.decorators.debug import sensitive_variables

from ..protocol.errors import IntrospectionUnavailable, InvalidResponse
from ..protocol.introspection import MAX_RESPONSE
from .deadline import DeadlineTransport, deadline
from .handshake import AsyncTransport

_STALE = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
"""What a kept-alive connection looks like that the server closed meanwhile: worth one more try."""

_ACCEPT = {"Accept": "application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Transport:
    """Send form posts, and fetch documents; safe for threads and for any number of event loops.

    `timeout` is in seconds and bounds the whole call, the sync one's name resolution excepted. Proxy settings
    and netrc files of the environment are not read: a token goes to the configured host or nowhere. The sync calls
    connect only to addresses that `allows` says, where it is given.
    """

    def __init__(self, *, timeout: float, verify: bool | str, allows: Callable[[str], bool] | None = None) -> None:
        self.timeout = timeout
        self._ssl_context = _ssl_context(verify)
        self._client = DeadlineTransport(self._ssl_context, allows)
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = WeakKeyDictionary()

    @sensitive_variables()
    def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        """Send a form and return the reply; raises IntrospectionUnavailable."""
        with deadline(self.timeout):
            try:
                try:
                    return self._send(self._request(url, form, headers))
                except _STALE:
                    return self._send(self._request(url, form, headers))
            except httpx2.HTTPError as error:
                raise _unavailable(error) from None

    def get(self, url: str) -> Reply:
        """Fetch a document; raises IntrospectionUnavailable."""
        request = httpx2.Request("GET", url, headers=_ACCEPT, extensions=self._extensions)
        with deadline(self.timeout):
            try:
                return self._send(request)
            except httpx2.HTTPError as error:
                raise _unavailable(error) from None

    @sensitive_variables()
    async def apost(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        """Send like `post`, on the running event loop."""
        try:
            async with asyncio.timeout(self.timeout):
                try:
                    return await self._apost(url, form, headers)
                except _STALE:
                    return await self._apost(url, form, headers)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise _unavailable(error) from None

    def close(self) -> None:
        """Close the sync client; the async ones are closed with their loops."""
        self._client.close()

    @sensitive_variables()
    def _send(self, request: httpx2.Request) -> Reply:
        response = self._client.handle_request(request)
        body = bytearray()
        try:
            for chunk in response.iter_raw():
                _append(body, chunk)
        finally:
            response.close()
        return Reply(response.status_code, response.headers, bytes(body))

    @sensitive_variables()
    async def _apost(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        client = await self._async_client()
        response = await client.handle_async_request(self._request(url, form, headers))
        body = bytearray()
        try:
            async for chunk in response.aiter_raw():
                _append(body, chunk)
        finally:
            await response.aclose()
        return Reply(response.status_code, response.headers, bytes(body))

    def _request(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> httpx2.Request:
        return httpx2.Request(
            "POST",
            url,
            content=urlencode(form).encode(),
            headers={
                **_ACCEPT,
                "Content-Type": "application/x-www-form-urlencoded",
                **headers,
            },
            extensions=self._extensions,
        )

    @property
    def _extensions(self) -> dict[str, Any]:
        return {"timeout": httpx2.Timeout(self.timeout).as_dict()}

    async def _async_client(self) -> AsyncTransport:
        loop = asyncio.get_running_loop()
        kept = self._by_loop.get(loop)
        if kept is None:
            kept = self._by_loop[loop] = _Kept(AsyncTransport(self._ssl_context))
            await kept.until_loop_closes()
        return kept.client


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


def _ssl_context(verify: bool | str) -> ssl.SSLContext:
    if isinstance(verify, str):
        return ssl.create_default_context(cafile=verify)
    return httpx2.create_ssl_context(verify=verify, trust_env=False)


def _unavailable(error: Exception) -> IntrospectionUnavailable:
    """Name the failure by its type alone: the message or the frames could hold what was sent."""
    return IntrospectionUnavailable(f"the authorization server cannot be reached: {type(error).__name__}")
