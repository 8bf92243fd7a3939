"""Bodies of replies, read within a limit and unpacked."""

from __future__ import annotations

import zlib

from ..protocol.errors import InvalidResponse
from ..protocol.introspection import MAX_RESPONSE

_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_FORMAT = zlib.MAX_WBITS | 16
"""The argument with which `zlib` reads gzip."""


def append(body: bytearray, chunk: bytes) -> None:
    """Add a chunk to a body; raises InvalidResponse if it becomes larger than MAX_RESPONSE."""
    if len(body) + len(chunk) > MAX_RESPONSE:
        raise InvalidResponse("the response is too large")
    body += chunk


def unpack(encoding: str, body: bytearray) -> bytes | None:
    """Return the content of a body in gzip (RFC 1952), which some proxies use although `identity` was asked.

    None for any other encoding, for a broken file, and for one that something follows. Raises InvalidResponse if the
    content is larger than MAX_RESPONSE.
    """
    if encoding.strip().lower() not in _GZIP:
        return None
    reader, unpacked = zlib.decompressobj(_GZIP_FORMAT), bytearray()
    try:
        append(unpacked, reader.decompress(body, MAX_RESPONSE + 1))
    except zlib.error:
        return None
    return bytes(unpacked) if reader.eof and not reader.unused_data else None
