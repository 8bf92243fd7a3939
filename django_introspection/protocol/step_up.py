"""How and when the user must have authenticated: authentication context and age (RFC 9470 §3, §5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from .scope import is_scope_token
from .times import is_time, readable_time


@dataclass(frozen=True, slots=True)
class StepUp:
    """An authentication that a request needs: one of some contexts, at most `max_age` seconds ago."""

    acr_values: tuple[str, ...] = ()
    max_age: int | None = None

    @classmethod
    def read(cls, acr_values: Any = (), max_age: Any = None) -> Self:
        """Return the requirement; raises TypeError or ValueError.

        `acr_values` is a list or tuple in the order of preference, or a string with one space between the values;
        `max_age` is in whole seconds. A value has the characters of a scope token, so that a challenge can name it.
        """
        values = tuple(acr_values.split(" ")) if isinstance(acr_values, str) and acr_values else acr_values or ()
        if not isinstance(values, (list, tuple)):
            raise TypeError("acr_values must be a list of strings, or a string with one space between the values")
        if not all(map(is_scope_token, values)):
            raise ValueError("acr_values must be strings of visible characters without spaces, quotes and backslashes")
        if max_age is not None and (not isinstance(max_age, int) or isinstance(max_age, bool)):
            raise TypeError("max_age must be a whole number of seconds")
        if max_age is not None and max_age < 0:
            raise ValueError("max_age must not be negative")
        if not values and max_age is None:
            raise ValueError("name acr_values, max_age or both")
        return cls(tuple(dict.fromkeys(values)), max_age)

    def is_met(self, members: Mapping[str, Any], *, now: float, leeway: int) -> bool:
        """Return whether the members of a token show such an authentication; `now` and `leeway` are in seconds.

        A missing member shows none (RFC 9470 §6). Nor does a time in the future, which would count as recent for ever.
        """
        if self.acr_values and members.get("acr") not in self.acr_values:
            return False
        if self.max_age is None:
            return True
        authenticated_at = readable_time(members.get("auth_time"))
        return is_time(authenticated_at) and -leeway <= now - authenticated_at <= self.max_age + leeway

    @classmethod
    def together(cls, needed: Collection[StepUp]) -> Self:
        """Return one authentication that meets all of these; if no context meets all, the contexts are the first's."""
        contexts = [each.acr_values for each in needed if each.acr_values] or [()]
        shared = tuple(value for value in contexts[0] if all(value in other for other in contexts))
        ages = [each.max_age for each in needed if each.max_age is not None]
        return cls(shared or contexts[0], min(ages, default=None))

    def parameters(self) -> dict[str, str | None]:
        """Return the parameters of the challenge (RFC 9470 §3)."""
        age = None if self.max_age is None else str(self.max_age)
        return {"acr_values": " ".join(self.acr_values) or None, "max_age": age}


def wrong_authentication(members: Mapping[str, Any]) -> str | None:
    """Return the rule that a member about the authentication of the user breaks, None if there is none.

    A member that is None is absent. See OpenID Connect Core §2 and RFC 9470 §6.2.
    """
    members = {name: value for name, value in members.items() if value is not None}
    methods = members.get("amr", [])
    if not isinstance(members.get("acr", ""), str):
        return "acr must be a string"
    if not isinstance(methods, (list, tuple)) or not all(isinstance(method, str) for method in methods):
        return "amr must be a list of strings"
    if not is_time(members.get("auth_time", 0)):
        return "auth_time must be a number of seconds"
    return None
