"""JSON from outside: one object, no repeated member, nothing that the rest of a program fails on (RFC 8259)."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

_MAX_DEPTH = 32
"""Objects and lists within one another; `cnf`, `act` and `authorization_details` need a handful."""
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def parse_json_object(data: bytes) -> dict[str, Any]:
    """Read a JSON object in UTF-8.

    Raises ValueError, whose text says what the data is and never what is in it, for anything else: a repeated
    member, half a character, infinity, endless nesting.
    """
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_no_repeats, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - the data is wrong, not the call
    if not _can_be_passed_on(value):
        raise ValueError("holds a value that cannot be passed on")
    return value


def _can_be_passed_on(value: Any, depth: int = _MAX_DEPTH) -> bool:
    """Refuse what JSON can say and the rest of a program fails on."""
    match value:
        case str():
            return not _SURROGATE.search(value)
        case float():
            return math.isfinite(value)
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


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
