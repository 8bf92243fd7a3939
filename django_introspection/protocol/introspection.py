"""Introspection requests and responses, from both ends of the wire (RFC 7662 §2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .answer import Active, Answer, Inactive, Reason
from .dialects import is_scope_list
from .errors import InvalidResponse
from .strict_json import parse_json_document
from .times import is_time, readable_time
from .token_info import TokenInfo

MAX_RESPONSE = 1024 * 1024
"""The most bytes of a response that are read; no token needs nearly as many."""

_TIMES = ("exp", "iat", "nbf")
_NO_JSON = frozenset({"text/html", "application/jwt"})

Members = dict[str, Any]


def build_request(token: str) -> dict[str, str]:
    """Return the form parameters that ask about an access token (RFC 7662 §2.1)."""
    return {"token": token, "token_type_hint": "access_token"}


def parse_response(content_type: str, body: bytes) -> Answer:
    """Read the body of a 200 response as hostile input.

    A member that is null counts as absent. A byte order mark is ignored (RFC 8259 §8.1). The media type is ignored too
    if the body is JSON, because some servers send `text/plain`; only an HTML page and a signed response are rejected by
    their type. Raise InvalidResponse unless the body is a JSON object with a boolean `active` and members of the right
    type.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in _NO_JSON or media_type.endswith("+jwt"):
        raise InvalidResponse("the response is not application/json")
    try:
        members = parse_json_document(body)
    except ValueError as problem:
        raise InvalidResponse(f"the response {problem}") from None
    return read_members(members)


def read_members(members: Members) -> Answer:
    """Return the answer that the members of a response are, which are hostile input; raise InvalidResponse."""
    active = members.pop("active", None)
    if active is False:
        return Inactive(Reason.INACTIVE)
    if active is not True:
        raise InvalidResponse("the response has no boolean active")
    members = {name: value for name, value in members.items() if value is not None}
    members |= {name: readable_time(members[name]) for name in _TIMES if name in members}
    if name := wrong_member(members):
        raise InvalidResponse(f"the member {name} has the wrong type")
    return Active(TokenInfo(members))


def wrong_member(members: Mapping[str, Any]) -> str | None:
    """Return the name of a member of the wrong type, None if there is none (RFC 7662 §2.2, RFC 7519 §4.1)."""
    for name in _STRINGS:  # most members, without a call for each
        if name in members and not isinstance(members[name], str):
            return name
    for name, is_valid in _OTHER_TYPES.items():
        if name in members and not is_valid(members[name]):
            return name
    return None


def render_response(answer: Answer) -> Members:
    """Return the members to send; an inactive answer has no other than `active` (RFC 7662 §2.2)."""
    members: Members = {"active": False}
    if answer:
        members = answer.info.to_dict()
    return members


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_audience(value: Any) -> bool:
    return _is_string(value) or (isinstance(value, list) and all(map(_is_string, value)))


def _is_scope(value: Any) -> bool:
    return _is_string(value) or is_scope_list(value)


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


_STRINGS = ("client_id", "username", "token_type", "sub", "iss", "jti")
_OTHER_TYPES: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(_TIMES, is_time),
    "scope": _is_scope,
    "aud": _is_audience,
    "cnf": _is_object,
}
