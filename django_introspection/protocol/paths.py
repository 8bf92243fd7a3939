"""The ways in which different programs read one request path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

MAX_CHARACTERS = 65_536
"""The most characters that all readings of one path may have together; a path with more is ambiguous by intention."""

_AMBIGUOUS = re.compile(r"[%\\;?#\x00-\x1f\x7f-\x9f]|//|/\.\.?(?:/|\Z)|/\s|\s(?:/|\Z)")
"""Matches every path that one of the rules below would change."""


class TooManyReadings(ValueError):
    """A path has too many readings to compare them all."""


def path_readings(path: str) -> Iterator[str]:
    """Yield a decoded path as it is, then each other way to read it; raises TooManyReadings.

    Some programs decode a path again, read a backslash as a slash, drop empty segments, dot segments (RFC 3986 §5.2.4),
    path parameters (RFC 3986 §3.3), control characters and spaces around a segment, or stop at a NUL, `?` or `#`.
    """
    yield path
    if not has_several_readings(path):
        return
    known, waiting, characters = {path}, [path], len(path)
    while waiting:
        current = waiting.pop()
        for read in _RULES:
            reading = read(current)
            if reading in known:
                continue
            characters += len(reading)
            if characters > MAX_CHARACTERS:
                raise TooManyReadings("the path can be read in too many ways")
            known.add(reading)
            waiting.append(reading)
            yield reading


def has_several_readings(path: str) -> bool:
    """Return whether a path contains anything that different programs read in different ways."""
    return _AMBIGUOUS.search(path) is not None


def follow_dot_segments(path: str) -> str:
    """Return an absolute path in which every dot segment was followed (RFC 3986 §5.2.4)."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1:] in ([".."], ["."]):
        kept.append("")
    return f"/{'/'.join(kept)}"


def merge_slashes(path: str) -> str:
    """Return a path without empty segments."""
    return re.sub("//+", "/", path)


def _strip_segments(path: str) -> str:
    return "/".join(segment.strip() for segment in path.split("/"))


_RULES: tuple[Callable[[str], str], ...] = (
    unquote,
    lambda path: path.replace("\\", "/"),
    merge_slashes,
    follow_dot_segments,
    lambda path: re.sub(r"[\x00-\x1f\x7f-\x9f]+", "", path),
    _strip_segments,
    lambda path: re.sub(r";[^/]*", "", path),
    lambda path: re.split(r"[\x00?#]", path, maxsplit=1)[0],
)
