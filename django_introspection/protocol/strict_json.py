"""JSON from outside: one object or array, no repeated member, and no value that other code cannot handle (RFC 8259)."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

_MAX_DEPTH = 32
"""The deepest nesting of objects and lists; `cnf`, `act` and `authorization_details` need a handful of levels."""
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD]")


def parse_json_object(data: bytes) -> dict[str, Any]:
    """Read a JSON object in UTF-8.

    Raises ValueError for anything else, such as a repeated member, half a character, infinity or endless nesting. Its
    text names the problem and quotes none of the data.
    """
    value = _parse(data)
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - the data is wrong, not the call
    return value


def parse_json_array(data: bytes) -> list[Any]:
    """Read a JSON array in UTF-8; raises ValueError as `parse_json_object` does."""
    value = _parse(data)
    if not isinstance(value, list):
        raise ValueError("is not a JSON array")  # noqa: TRY004 - the data is wrong, not the call
    return value


def _parse(data: bytes) -> Any:
    try:
        text = data.decode("utf-8")
        value = _decoder.decode(text)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    # Without these characters in the text, no value can be nested too deeply or hold half a character.
    is_suspicious = text.count("{") + text.count("[") > _MAX_DEPTH or _ESCAPED_SURROGATE.search(text)
    if is_suspicious and not _can_be_passed_on(value):
        raise ValueError("holds a value that cannot be passed on")
    return value


def _can_be_passed_on(value: Any, depth: int = _MAX_DEPTH) -> bool:
    """Return whether other code can handle a value; JSON allows some that it cannot."""
    match value:
        case str():
            return not _SURROGATE.search(value)
        case dict():
            return depth > 0 and all(
                _can_be_passed_on(name) and _can_be_passed_on(item, depth - 1) for name, item in value.items()
            )
        case list():
            return depth > 0 and all(_can_be_passed_on(item, depth - 1) for item in value)
    return True


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_no_repeats, parse_float=_finite, parse_constant=_refuse)
