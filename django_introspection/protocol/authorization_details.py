"""Authorization details: the permissions of a token as objects instead of a scope (RFC 9396)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from .identifiers import normal_resource
from .strict_json import parse_json_array

MEMBER = "authorization_details"
"""The parameter of a request, the member of an answer and the claim of a token (RFC 9396 §2, §9)."""
MAX_SIZE = 16 * 1024
"""Bytes of all objects in JSON; they are a part of every answer about the token."""
MAX_OBJECTS = 20
LISTS = ("locations", "actions", "datatypes", "privileges")
COMMON_FIELDS = frozenset({"type", "identifier", *LISTS})
"""The fields that any type may use (RFC 9396 §2.2)."""

Details = list[dict[str, Any]]


def parse_details(text: str) -> Details:
    """Read authorization details, which are from outside.

    Raises ValueError for anything but a short JSON array of objects with a string as `type` and common fields of the
    right type. Its text names the problem and quotes none of the data.
    """
    data = text.encode()
    if len(data) > MAX_SIZE:
        raise ValueError(f"must have at most {MAX_SIZE} bytes")
    details = parse_json_array(data)
    if not 0 < len(details) <= MAX_OBJECTS:
        raise ValueError(f"must have between 1 and {MAX_OBJECTS} objects")
    for detail in details:
        if problem := _problem(detail):
            raise ValueError(problem)
    return details


def normal_details(details: Any) -> Details:
    """Return a copy of authorization details as JSON has them; raises ValueError as `parse_details` does."""
    try:
        as_list = details if isinstance(details, (list, tuple)) else list(details)
        text = json.dumps(as_list, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        raise ValueError("must be a list of objects that JSON can hold") from None
    return parse_details(text)


def with_details(members: Mapping[str, Any], details: list[Any]) -> dict[str, Any]:
    """Return a copy of the members of a token with other authorization details; without any if there are none."""
    others = {name: value for name, value in members.items() if name != MEMBER}
    return {**others, MEMBER: details} if details else others


def located_at(details: Any, resources: Iterable[str]) -> list[Any]:
    """Return the objects that are for any of these resources: those without `locations`, or with one at or below it.

    Anything that is no object, in no list, is for no resource.
    """
    prefixes = [normal_resource(resource).rstrip("/") for resource in resources]
    objects = details if isinstance(details, (list, tuple)) else ()
    return [each for each in objects if isinstance(each, Mapping) and _is_located(each, prefixes)]


def is_part_of(requested: Mapping[str, Any], granted: Mapping[str, Any]) -> bool:
    """Return whether an object asks for no more than another one allows (RFC 9396 §6.1).

    The common fields that are lists may have fewer elements; everything else must be the same, because only its type
    knows what less would be.
    """
    if requested.keys() != granted.keys():
        return False
    return all(
        set(value) <= set(granted[name]) if name in LISTS else _same(value, granted[name])
        for name, value in requested.items()
    )


@dataclass(frozen=True, slots=True)
class RequiredDetails:
    """An object that a token must have: its type, and the values that its common fields must contain."""

    type: str
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    identifier: str | None = None

    @classmethod
    def read(cls, type: Any, *, identifier: Any = None, **lists: Any) -> Self:  # noqa: A002 - the name of RFC 9396
        """Return the requirement; raises TypeError or ValueError for what no token can have."""
        values = []
        for name, value in lists.items():
            if not isinstance(value, (list, tuple)):
                raise TypeError(f"{name} must be a list of strings")
            if value:
                values.append((name, tuple(value)))
        strings = [
            type,
            *([] if identifier is None else [identifier]),
            *(each for _, named in values for each in named),
        ]
        if not all(isinstance(each, str) for each in strings):
            raise TypeError("a type, an identifier and the elements of a list must be strings")
        if not all(strings):
            raise ValueError("a type, an identifier and the elements of a list must not be empty")
        return cls(type, tuple(values), identifier)

    def is_met(self, members: Mapping[str, Any]) -> bool:
        """Return whether one object of a token has all of it; a field that is missing contains nothing."""
        details = members.get(MEMBER)
        return isinstance(details, (list, tuple)) and any(map(self._is_met_by, details))

    def _is_met_by(self, detail: Any) -> bool:
        if not isinstance(detail, Mapping) or detail.get("type") != self.type:
            return False
        if self.identifier is not None and detail.get("identifier") != self.identifier:
            return False
        return all(_contains(detail.get(name), wanted) for name, wanted in self.values)


def _contains(value: Any, wanted: Iterable[str]) -> bool:
    return isinstance(value, (list, tuple)) and all(each in value for each in wanted)


def _problem(detail: Any) -> str | None:
    """Return the rule that an object breaks, None if it breaks none (RFC 9396 §2, §2.2)."""
    if not isinstance(detail, dict):
        return "must be an array of objects"
    if not _is_string(detail.get("type")):
        return "must have a string as the type of each object"
    if not _is_string(detail.get("identifier", "-")):
        return "must have strings as identifier"
    for name in LISTS:
        values = detail.get(name, ["-"])
        if not isinstance(values, list) or not values or not all(map(_is_string, values)):
            return f"must have lists of strings as {name}"
    return None if _can_be_stored(detail) else "must not contain the character U+0000"


def _is_string(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _can_be_stored(value: Any) -> bool:
    """Return whether every database takes a value: PostgreSQL has no character U+0000 in JSON."""
    match value:
        case str():
            return "\0" not in value
        case dict():
            return all(_can_be_stored(name) and _can_be_stored(item) for name, item in value.items())
        case list():
            return all(map(_can_be_stored, value))
    return True


def _is_located(detail: Mapping[str, Any], prefixes: Iterable[str]) -> bool:
    if "locations" not in detail:
        return True
    listed = detail["locations"]
    named = listed if isinstance(listed, (list, tuple)) else ()
    locations = [normal_resource(each) for each in named if isinstance(each, str)]
    return any(location == prefix or location.startswith(f"{prefix}/") for location in locations for prefix in prefixes)


def _same(value: Any, other: Any) -> bool:
    """Return whether two values are the same in JSON: in Python, True equals 1."""
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)
