"""One kept answer, as an object and as the JSON that a cache holds."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from typing import Any

from ..protocol.answer import Active, Answer, Inactive, Reason
from ..protocol.token_info import TokenInfo


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer about the token with this digest, and the moment since which it is kept."""

    answer: Answer
    token_digest: str
    since: float

    @property
    def seconds_to_live(self) -> float:
        """The seconds that the token lived when the answer came; an inactive one has no such end."""
        return self.answer.info.get("exp", math.inf) - self.since if self.answer else math.inf


def is_younger(kept: Kept, seconds: float) -> bool:
    """Tell whether an answer is not that old and its token not expired; a clock that was set back proves nothing."""
    return 0 <= time.time() - kept.since < min(seconds, kept.seconds_to_live)


def encode(kept: Kept, generation: str) -> str:
    """Write an answer as JSON."""
    members = kept.answer.info.to_dict() if kept.answer else None
    reason = None if kept.answer else kept.answer.reason
    return json.dumps([kept.token_digest, generation, kept.since, members, reason])


def decode(value: Any, token_digest: str, generation: str) -> Kept | None:
    """Read an answer; None for what is of another token, another generation or nothing that `encode` wrote."""
    try:
        found_digest, found_generation, since, members, reason = json.loads(value)
        if (found_digest, found_generation) != (token_digest, generation):
            return None
        answer = Inactive(Reason(reason)) if members is None else Active(TokenInfo(members))
        return Kept(answer, token_digest, float(since))
    except (ValueError, TypeError):
        return None
