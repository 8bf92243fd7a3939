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
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_FINITE = "has a number that is not finite"


class _Refused(ValueError):
    """JSON that other readers accept; the text quotes none of it."""


def parse_json_object(data: bytes) -> dict[str, Any]:
    """Read a JSON object in UTF-8.

    Raises ValueError for anything else, such as a repeated member, half a character, infinity or endless nesting. Its
    text names the problem and quotes none of the data.
    """
    value = _parse(data)
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - the data is wrong, not the call
    return value


def parse_json_document(body: bytes) -> dict[str, Any]:
    """Read the JSON object in the reply of a server; a byte order mark is ignored (RFC 8259 §8.1).

    Raises ValueError as `parse_json_object` does.
    """
    return parse_json_object(body.removeprefix(_BYTE_ORDER_MARK))


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
    except (ValueError, RecursionError) as error:
        raise ValueError(_problem(error)) from None
    # Without these characters in the text, no value can be nested too deeply or hold half a character.
    is_suspicious = text.count("{") + text.count("[") > _MAX_DEPTH or _ESCAPED_SURROGATE.search(text)
    if is_suspicious and not _can_be_passed_on(value):
        raise ValueError("holds a value that cannot be passed on")
    return value


def _problem(error: ValueError | RecursionError) -> str:
    """Return a text that names a problem and quotes none of the data, unlike most texts of errors."""
    match error:
        case _Refused():
            return str(error)
        case UnicodeDecodeError():
            return "is not UTF-8"
        case json.JSONDecodeError():
            return "is not JSON"
        case RecursionError():
            return "is nested too deeply"
    return "has a number with too many digits"  # Python reads no more than 4300


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
        raise _Refused("repeats a member")
    return members


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Refused(_NOT_FINITE)
    return value


def _refuse(constant: str) -> NoReturn:
    raise _Refused(_NOT_FINITE)


_decoder = json.JSONDecoder(object_pairs_hook=_no_repeats, parse_float=_finite, parse_constant=_refuse)
