"""The way to a server: its address, the TLS of a connection, and the proxy in between."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import cache, lru_cache

import httpcore2
import httpx2

from ..protocol.error_reports import conceal_locals


@lru_cache(maxsize=128)
def parse_url(url: str) -> tuple[httpcore2.URL, str]:
    """Return a URL in the form of the connection pool, and the `Host` header for it (RFC 9110 §7.2)."""
    parsed = httpx2.URL(url)
    target = httpcore2.URL(scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path)
    return target, parsed.netloc.decode("ascii")


@conceal_locals
def read_proxy(url: str) -> httpcore2.Proxy:
    """Return a proxy; credentials in its URL become its `Proxy-Authorization` header."""
    parsed = httpx2.URL(url)
    bare = httpcore2.URL(scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=b"/")
    auth = (parsed.username, parsed.password) if parsed.userinfo else None
    return httpcore2.Proxy(bare, auth=auth)


def make_ssl_context(verify: bool | str, certificate: Sequence[str]) -> ssl.SSLContext:
    """Return the TLS of a connection: `verify` may name a file of authorities, `certificate` those of the client."""
    if verify is True and not certificate:
        return default_ssl_context()
    if isinstance(verify, str):
        context = ssl.create_default_context(cafile=verify)
    else:
        context = httpx2.create_ssl_context(verify=verify, trust_env=False)
    if certificate:
        context.load_cert_chain(*certificate)
    return context


@cache
def default_ssl_context() -> ssl.SSLContext:
    """Return the context that most transports share: to read the machine's authorities takes 40 ms."""
    return httpx2.create_ssl_context(trust_env=False)
