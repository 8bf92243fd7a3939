"""The part of a request path that the URL patterns of the project read, if they do not read all of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import count
from typing import Any

from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import LocalePrefixPattern, RegexPattern
from rest_framework.settings import api_settings

_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\.[*+?{]|\.", re.DOTALL)
"""Matches what can have a dot in an expression: an escape, a set, a dot that is repeated, a bare dot."""
_REFERENCE = re.compile(r"\\[1-9]|\(\?\([1-9]")
_DOT = "introspection_dot_"


def url_readings(request: HttpRequest, kwargs: Mapping[str, Any]) -> set[str]:
    """Return the paths that name the resolved view as well as the whole path does.

    A regular expression without `^` or `$` ignores what stands before or after it, and one with a bare dot, such as
    `^v1.0/`, reads any character there; a language prefix (`i18n_patterns`) and a format suffix (`orders.json` of
    Django REST framework) leave the view the same.
    """
    path = request.path_info
    resolver = get_resolver(getattr(request, "urlconf", None))
    readings = {path, *(_what_is_read(resolver, path) or ())} if _reads_parts(resolver) else {path}
    suffix = kwargs.get(api_settings.FORMAT_SUFFIX_KWARG or "")
    if isinstance(suffix, str) and suffix:
        readings |= {reading.rstrip("/").removesuffix(f".{suffix}") for reading in readings}
    return readings - {path}


@lru_cache(maxsize=8)
def _reads_parts(resolver: URLResolver) -> bool:
    """Return whether a pattern of this URL conf may read a part of a path only."""
    return any(map(_may_read_a_part, _walk(resolver.url_patterns)))


def _walk(patterns: Iterable[Any]) -> Iterator[Any]:
    for each in patterns:
        yield each
        if isinstance(each, URLResolver):
            yield from _walk(each.url_patterns)


def _may_read_a_part(each: Any) -> bool:
    """Return True in doubt, such as for a regular expression with alternatives."""
    if isinstance(each.pattern, LocalePrefixPattern):
        return True
    if not isinstance(each.pattern, RegexPattern):
        return False
    source = getattr(each.pattern, "_regex", None)
    if not isinstance(source, str):  # translated: another language may have another expression
        return True
    is_anchored = source.startswith("^") and "|" not in source and "." not in _TOKEN.findall(source)
    return not (is_anchored and (isinstance(each, URLResolver) or source.endswith("$")))


def _what_is_read(each: Any, path: str) -> set[str] | None:
    """Return what a pattern and those below it read of a path, with and without a language; None without a match."""
    match = each.pattern.match(path)
    if match is None:
        return None
    rest = match[0]
    read = path[_start(each.pattern, path) : len(path) - len(rest)]
    meant = {read, _with_dots(each.pattern, path)[len(path) - len(rest) - len(read) :][: len(read)]}
    if isinstance(each, URLPattern):
        return meant
    for inner in each.url_patterns:
        below = _what_is_read(inner, rest)
        if below is not None:
            own = {read, ""} if isinstance(each.pattern, LocalePrefixPattern) else meant
            return {head + tail for head in own for tail in below}
    return None


def _with_dots(pattern: Any, path: str) -> str:
    """Return a path with a dot in each place where a pattern has a bare one, which its author took for a dot."""
    marked = _marked(pattern.regex) if isinstance(pattern, RegexPattern) else None
    found = marked and (marked.fullmatch(path) or marked.search(path))
    if not found:
        return path
    characters = list(path)
    for name in found.groupdict():
        if name.startswith(_DOT) and found[name] is not None:
            characters[found.start(name)] = "."
    return "".join(characters)


@lru_cache(maxsize=256)
def _marked(expression: re.Pattern[str]) -> re.Pattern[str] | None:
    """Return an expression whose bare dots are groups, None if it has none or refers to its groups by number."""
    source, numbers = expression.pattern, count()
    marked = _TOKEN.sub(lambda token: f"(?P<{_DOT}{next(numbers)}>.)" if token[0] == "." else token[0], source)
    return None if marked == source or _REFERENCE.search(source) else re.compile(marked, expression.flags)


def _start(pattern: Any, path: str) -> int:
    """Return the position at which a pattern that matches begins to read."""
    found = pattern.regex.search(path) if isinstance(pattern, RegexPattern) else None
    return found.start() if found else 0
