"""A view requires authorization details (RFC 9396)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..protocol.authorization_details import MEMBER, RequiredDetails
from ..protocol.explanation import quoted
from .denial import Announcement, Denial, InsufficientScope
from .requirements import Requirement


@dataclass(frozen=True, slots=True)
class DetailsRequirement(Requirement):
    """An object in the authorization details of a token."""

    rank = 0  # a client gets them as it gets a scope

    details: RequiredDetails

    def is_met(self, members: Mapping[str, Any]) -> bool:
        """Return whether one object has all that is required."""
        return self.details.is_met(members)

    def explain(self, members: Mapping[str, Any]) -> str:
        """Return what is expected, and the types that were found."""
        found = members.get(MEMBER)
        objects = found if isinstance(found, (list, tuple)) else ()
        types = [each.get("type") for each in objects if isinstance(each, Mapping)]
        expected = [f"type {quoted([self.details.type])}"]
        expected += [f"{name} {quoted(values)}" for name, values in self.details.values]
        if self.details.identifier is not None:
            expected.append(f"identifier {quoted([self.details.identifier])}")
        return f"missing authorization details; expected {', '.join(expected)}; found types {quoted(types)}"

    @classmethod
    def refuse(
        cls, unmet: Sequence[Any], *, announcement: Announcement, scope: str | None, message: str | None
    ) -> Denial:
        """Return 403 `insufficient_scope` that names the types: RFC 9396 has no error code for an API of its own."""
        types = ", ".join(dict.fromkeys(each.details.type for each in unmet))
        text = message or f"The access token needs authorization details of the type {types}."
        return InsufficientScope(text, announcement=announcement, scope=scope)
