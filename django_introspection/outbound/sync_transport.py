"""Connections for threads: every wait ends by the deadline of the call."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import httpcore2

from .deadline import seconds_left

MAX_CONNECTIONS = 100
MAX_IDLE_CONNECTIONS = 20
IDLE_SECONDS = 30
"""How long an unused connection is kept."""
_SHORTEST = 0.001


def _seconds_left() -> float:
    left = seconds_left()
    if not left:
        raise httpcore2.ReadTimeout("the deadline has passed")
    return left


def _at_most(timeout: float | None) -> float:
    """Return what is left, `timeout` at most; a wait of 0 would be one without an end."""
    left = _seconds_left()
    return left if timeout is None else min(left, max(timeout, _SHORTEST))


def open_pool(
    ssl_context: ssl.SSLContext,
    allows: Callable[[str], bool] | None = None,
    proxy: httpcore2.Proxy | None = None,
) -> httpcore2.ConnectionPool:
    """Return a pool of connections that must be used within `deadline()`.

    If `allows` is given, it decides which addresses of a host may be connected to.
    """
    return httpcore2.ConnectionPool(
        ssl_context=ssl_context,
        proxy=proxy,
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_IDLE_CONNECTIONS,
        keepalive_expiry=IDLE_SECONDS,
        network_backend=_Network(allows),
    )


class _Network(httpcore2.NetworkBackend):
    def __init__(self, allows: Callable[[str], bool] | None) -> None:
        self._inner = httpcore2.SyncBackend()
        self._allows = allows

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Try each address of the host with its share of the time for connecting.

        What is judged is what is connected to: a name that means another address the next time is judged again.
        """
        addresses = [each for each in _addresses(host, port) if self._allows is None or self._allows(each)]
        if not addresses:
            raise httpcore2.ConnectError("the host has no address that may be connected to")
        until = time.monotonic() + _at_most(timeout)
        for remaining in range(len(addresses), 1, -1):
            share = max(until - time.monotonic(), 0) / remaining
            try:
                return self._connect(addresses[-remaining], port, _at_most(share), socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return self._connect(addresses[-1], port, _at_most(until - time.monotonic()), socket_options)

    def _connect(
        self, address: str, port: int, timeout: float, socket_options: Iterable[Any] | None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._inner.connect_tcp(address, port, timeout, None, socket_options))


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the latter for a label that is empty or too long
        raise httpcore2.ConnectError("the host name cannot be resolved") from error
    return [str(address[0]) for *_, address in found]


class _Stream(httpcore2.NetworkStream):
    """A stream that sends what is written with the next read: head and body of a request in one packet."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner
        self._unsent = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._unsent:
            unsent, self._unsent = self._unsent, b""
            with suppress(httpcore2.WriteError):  # the server may have replied before it stopped reading
                self._inner.write(unsent, _seconds_left())
        return self._inner.read(max_bytes, _seconds_left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._unsent += buffer

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _at_most(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
