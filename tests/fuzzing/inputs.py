"""The input of a target: bytes with several parts, so that each part can be mutated by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

SEPARATOR = b"\xff"
"""A byte that no UTF-8 has. Only the last part of an input may contain it."""

Choice = TypeVar("Choice")


def join(*parts: str | bytes) -> bytes:
    """Make an input of its parts."""
    return SEPARATOR.join(part.encode() if isinstance(part, str) else part for part in parts)


def split(data: bytes, count: int) -> list[bytes]:
    """Return the parts of an input; one that is missing is empty."""
    parts = data.split(SEPARATOR, count - 1)
    return parts + [b""] * (count - len(parts))


def text(part: bytes) -> str:
    """Return a part as any text that Python can hold, half characters included."""
    return part.decode("utf-8", "surrogateescape")


def header(part: bytes) -> str:
    """Return a part as the value of a header, as web servers hand it on: in Latin-1, without line ends."""
    return part.decode("latin-1").replace("\r", "").replace("\n", "")


def choose(part: bytes, options: Sequence[Choice]) -> Choice:
    """Return the option that is written in a part, or else any of them."""
    names: list[Any] = [str(option) for option in options]
    written = part.decode("latin-1")
    return options[names.index(written) if written in names else sum(part) % len(options)]
