"""Step-up: a view requires that its user authenticated in some way, or lately (RFC 9470)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rest_framework import status

from ..conf import introspection_settings
from ..protocol.explanation import quoted
from ..protocol.step_up import StepUp
from .denial import Announcement, Denial
from .requirements import Requirement


class InsufficientUserAuthentication(Denial):
    """The token is valid, and its user must authenticate again or in another way (RFC 9470 §3)."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = "The user must authenticate again, or in another way."
    default_code = error = "insufficient_user_authentication"


@dataclass(frozen=True, slots=True)
class StepUpRequirement(Requirement):
    """An authentication of the user."""

    rank = 1

    step_up: StepUp

    def is_met(self, members: Mapping[str, Any]) -> bool:
        """Return whether the user of a token has authenticated so; clocks may differ by LEEWAY."""
        return self.step_up.is_met(members, now=time.time(), leeway=introspection_settings.LEEWAY)

    def explain(self, members: Mapping[str, Any]) -> str:
        """Return the expected and the found authentication."""
        expected = ", ".join(f"{name} {quoted([value])}" for name, value in self.step_up.parameters().items() if value)
        found = ", ".join(f"{name} {quoted([members[name]])}" for name in ("acr", "auth_time") if name in members)
        return f"insufficient user authentication; expected {expected}; found {found or 'no acr and no auth_time'}"

    @classmethod
    def refuse(
        cls, unmet: Sequence[Any], *, announcement: Announcement, scope: str | None, message: str | None
    ) -> Denial:
        """Return the challenge that names one authentication for all of these, and the scope if that lacks too."""
        parameters = StepUp.together([each.step_up for each in unmet]).parameters()
        return InsufficientUserAuthentication(message, announcement=announcement, scope=scope, **parameters)
