"""Connections for event loops; one whose TLS handshake is cut off is closed, and not left to the garbage collector."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Iterable
from typing import Any

import httpcore2

from .sync_transport import IDLE_SECONDS, MAX_CONNECTIONS, MAX_IDLE_CONNECTIONS


def open_async_pool(ssl_context: ssl.SSLContext, proxy: httpcore2.Proxy | None = None) -> httpcore2.AsyncConnectionPool:
    """Return a pool of connections for one event loop that leaks no socket when a call is cancelled or times out."""
    return httpcore2.AsyncConnectionPool(
        ssl_context=ssl_context,
        proxy=proxy,
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_IDLE_CONNECTIONS,
        keepalive_expiry=IDLE_SECONDS,
        network_backend=_Network(),
    )


class _Network(httpcore2.AsyncNetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the parent's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await self._inner.connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore2.AsyncNetworkStream):
    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:  # a cancellation is none of the errors that the library closes for
            await self._inner.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class LoopPool:
    """The connections of an event loop, which closes them: `shutdown_asyncgens` ends the generator (PEP 525)."""

    def __init__(self, pool: httpcore2.AsyncConnectionPool) -> None:
        self.pool = pool
        self.under_way = 0
        self._closer = self._close_at_end()

    async def until_loop_closes(self) -> None:
        """Let the running event loop close the connections when it shuts down."""
        await anext(self._closer)

    def close_soon(self) -> None:
        """Close the connections in a task of the running event loop."""
        task = asyncio.ensure_future(self._closer.aclose())
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    async def _close_at_end(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self.pool.aclose()


_closing: set[asyncio.Future[None]] = set()
"""Tasks that close connections: an event loop alone would not keep them."""
