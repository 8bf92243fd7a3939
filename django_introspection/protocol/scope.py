"""Scope: space-separated, case-sensitive tokens without order (RFC 6749 §3.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable

_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")


def parse_scope(value: str) -> tuple[str, ...]:
    """Split a scope into its distinct tokens, in the order given.

    Raise ValueError if the grammar of RFC 6749 §3.3 is broken; an empty value is no scope.
    """
    if not value:
        return ()
    if not _SCOPE.fullmatch(value):
        raise ValueError("not a scope: tokens of visible characters with one space between")
    return tuple(dict.fromkeys(value.split(" ")))


def is_scope_token(value: object) -> bool:
    """Return whether a value is a string of exactly one scope token."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def format_scope(tokens: Iterable[str]) -> str:
    """Join scope tokens into one value."""
    return " ".join(tokens)
