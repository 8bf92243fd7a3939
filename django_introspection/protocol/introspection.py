"""Introspection requests and responses, from both ends of the wire (RFC 7662 §2)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from .answer import Active, Answer, Inactive, Reason
from .errors import InvalidResponse
from .token_info import TokenInfo

MAX_RESPONSE = 1024 * 1024
"""Bytes of a response that are read; far above what any token needs."""
_MAX_DEPTH = 32
"""Objects and lists within one another; `cnf`, `act` and `authorization_details` need a handful."""
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last one a datetime can hold

Members = dict[str, Any]


def build_request(token: str) -> dict[str, str]:
    """Return the form parameters that ask about an access token (RFC 7662 §2.1)."""
    return {"token": token, "token_type_hint": "access_token"}


def parse_response(content_type: str, body: bytes) -> Answer:
    """Read the body of a 200 response as hostile input.

    Raises InvalidResponse for anything that is not a JSON object with a boolean `active` and members of the
    right type. A member that is null counts as absent.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise InvalidResponse("the response is not application/json")
    members = _json_object(body)
    active = members.pop("active", None)
    if active is False:
        return Inactive(Reason.INACTIVE)
    if active is not True:
        raise InvalidResponse("the response has no boolean active")
    members = {name: value for name, value in members.items() if value is not None}
    for name, is_valid in _TYPES.items():
        if name in members and not is_valid(members[name]):
            raise InvalidResponse(f"the member {name} has the wrong type")
    return Active(TokenInfo(members))


def render_response(answer: Answer) -> Members:
    """Return the members to send; an inactive answer has no other than `active` (RFC 7662 §2.2)."""
    members: Members = {"active": False}
    if answer:
        members = answer.info.to_dict()
    return members


def _json_object(body: bytes) -> Members:
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_no_repeats, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise InvalidResponse("the response is not JSON") from None
    if not isinstance(value, dict):
        raise InvalidResponse("the response is not a JSON object")
    if not _can_be_passed_on(value):
        raise InvalidResponse("the response holds a value that cannot be passed on")
    return value


def _can_be_passed_on(value: Any, depth: int = _MAX_DEPTH) -> bool:
    """Refuse what JSON can say and the rest of a program fails on: half a character, infinity, endless nesting."""
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


def _no_repeats(pairs: list[tuple[str, Any]]) -> Members:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_time(value: Any) -> bool:
    """Whole or fractional seconds (RFC 7519 §2); a boolean is an int in Python, and no time."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value <= _LAST_SECOND


def _is_audience(value: Any) -> bool:
    return _is_string(value) or (isinstance(value, list) and all(map(_is_string, value)))


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


_TYPES: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("scope", "client_id", "username", "token_type", "sub", "iss", "jti"), _is_string),
    **dict.fromkeys(("exp", "iat", "nbf"), _is_time),
    "aud": _is_audience,
    "cnf": _is_object,
}
