"""The requirements of a view beside a scope, and the refusal of a token that does not meet them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..protocol.claims import RequiredClaim
from ..protocol.explanation import missing_claim
from .denial import Announcement, Denial, InsufficientScope, MissingClaim


class Requirement(ABC):
    """Something that the members of a token must show; two of the same value are equal."""

    __slots__ = ()

    rank: ClassVar[int]
    """If several requirements are unmet, those of the highest rank decide the refusal."""

    @abstractmethod
    def is_met(self, members: Mapping[str, Any]) -> bool:
        """Return whether a token with these members meets the requirement."""

    @abstractmethod
    def explain(self, members: Mapping[str, Any]) -> str:
        """Return what was expected and found, for the log."""

    @classmethod
    @abstractmethod
    def refuse(
        cls, unmet: Sequence[Any], *, announcement: Announcement, scope: str | None, message: str | None
    ) -> Denial:
        """Return the refusal for unmet requirements of this class; `scope` is what the token lacks as well."""


@dataclass(frozen=True, slots=True)
class ClaimRequirement(Requirement):
    """A value of a claim."""

    rank = 2  # no other token of this user and client would help

    claim: RequiredClaim

    def is_met(self, members: Mapping[str, Any]) -> bool:
        """Return whether the claim has any of the values."""
        return self.claim.is_held(members)

    def explain(self, members: Mapping[str, Any]) -> str:
        """Return the expected and the found values."""
        return missing_claim(members, self.claim)

    @classmethod
    def refuse(
        cls, unmet: Sequence[Any], *, announcement: Announcement, scope: str | None, message: str | None
    ) -> Denial:
        """Return a refusal without an error code: a client that asks for the scope alone would be refused again."""
        return MissingClaim(message, announcement=announcement)


def refusal(
    unmet: Sequence[Requirement],
    *,
    announcement: Announcement,
    needed: Sequence[str],
    lacks_scope: bool,
    message: str | None = None,
) -> Denial:
    """Return the refusal of a valid token that does not meet requirements, or lacks some of the `needed` scope.

    The challenge names all of the needed scope if the token lacks some of it.
    """
    scope = " ".join(needed) if lacks_scope else None
    if not unmet:
        return InsufficientScope(message, announcement=announcement, scope=scope)
    deciding = type(max(unmet, key=lambda each: each.rank))
    same = [each for each in unmet if isinstance(each, deciding)]
    return deciding.refuse(same, announcement=announcement, scope=scope, message=message)
