"""Claims of a token that carry roles, groups and permissions: named exactly, compared by value and type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

ClaimName = str | Sequence[str]
"""The exact name of one member, or the names that lead to a nested one."""
ClaimValue = str | int | bool
Path = tuple[str, ...]

_SCOPE = ("scope", "scp")


@dataclass(frozen=True, slots=True)
class RequiredClaim:
    """A claim that a token must have: it must be, or contain, any of the values."""

    path: Path
    values: tuple[ClaimValue, ...]

    @classmethod
    def named(cls, name: ClaimName, *values: ClaimValue) -> Self:
        """Return the requirement; raises ValueError or TypeError for names and values that no claim can have."""
        return cls(_path(name), _plain_values(values))

    def is_held(self, members: Mapping[str, Any]) -> bool:
        """Return whether a token with these members has any of the values."""
        wanted = {(type(value), value) for value in self.values}  # True equals 1 in Python, and not in JSON
        return any((type(value), value) in wanted for value in self.found(members))

    def found(self, members: Mapping[str, Any]) -> list[ClaimValue]:
        """Return the values of the claim: itself, the elements of a list, or the names in an object of roles.

        A name in an object is a role only if its value is an object, as ZITADEL writes it: a role that is `false` or
        `null` is not granted. A string is one value and is never split.
        """
        found: Any = members
        for name in self.path:
            if not isinstance(found, Mapping):
                return []
            found = found.get(name)
        if isinstance(found, Mapping):
            return [role for role, details in found.items() if isinstance(details, Mapping)]
        listed = found if isinstance(found, (list, tuple)) else (found,)
        return [value for value in listed if isinstance(value, (str, int))]


def _path(name: ClaimName) -> Path:
    """Return the names that lead to a claim.

    A string is the exact name of one member. Raises TypeError for another type than a string or a list or tuple of
    strings, and ValueError for an empty name, for the scope, for an earlier actor, and for a string that seems to be a
    path.
    """
    path: tuple[Any, ...] = tuple(name) if isinstance(name, (list, tuple)) else (name,)
    if not all(isinstance(each, str) for each in path):
        raise TypeError("the name of a claim must be a string, or a list of strings for a nested claim")
    if not path or not all(path):
        raise ValueError("the name of a claim must not be empty")
    if len(path) == 1 and path[0] in _SCOPE:
        raise ValueError(f"{path[0]!r} is the scope of the token: use requires_scope(), which reads every spelling")
    if path[:2] == ("act", "act"):
        raise ValueError("only the outermost actor counts: the actors inside of it are information (RFC 8693 §4.1)")
    if isinstance(name, str) and "." in name and not {":", "/"}.intersection(name):
        raise ValueError(
            f"{name!r} names one member with a dot in its name. Write {name.split('.')!r} for a nested claim,"
            f" or [{name!r}] if the member is really called so."
        )
    return path


def _plain_values(values: tuple[ClaimValue, ...]) -> tuple[ClaimValue, ...]:
    """Return values in the plain types of JSON, so that members of an enum equal their values.

    Raises TypeError for values of other types, and ValueError for an empty string and for no value at all: servers
    often send a claim with an empty list, so its presence grants nothing.
    """
    if not values:
        raise ValueError("name at least one value: the presence of a claim alone grants nothing")
    return tuple(map(_plain, values))


def _plain(value: Any) -> ClaimValue:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if not isinstance(value, str):
        raise TypeError(f"a value of a claim must be a str, int or bool, not {type(value).__name__}")
    if not value:
        raise ValueError("a value of a claim must not be empty")
    return str.__str__(value)
