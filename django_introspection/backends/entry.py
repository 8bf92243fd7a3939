"""One kept answer, as an object and as the text that a cache holds: a MAC and JSON."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from hmac import HMAC, compare_digest
from typing import Any

from django.utils.crypto import salted_hmac

from ..protocol.answer import Active, Answer, Inactive, Reason
from ..protocol.introspection import wrong_member
from ..protocol.token_info import TokenInfo

_FORMAT = "django_introspection.backends.entry 1"
"""Another version of this package that writes entries otherwise has another number, and believes none of these."""
_MAC_LENGTH = 64
"""Hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer about the token with this digest; the server was asked at the moment `since`."""

    answer: Answer
    token_digest: str
    since: float

    @property
    def seconds_to_live(self) -> float:
        """The seconds that the token lives after `since`; without end for an inactive one."""
        return self.answer.info.get("exp", math.inf) - self.since if self.answer else math.inf

    def is_younger(self, seconds: float) -> bool:
        """Return whether it is not that old and its token not expired; a clock that was set back proves nothing."""
        return self.since <= time.time() < self.end(seconds)

    def end(self, seconds: float) -> float:
        """Return the moment from which it is that old, or its token expired."""
        return self.since + min(seconds, self.seconds_to_live)


def seal_of(name: str) -> HMAC:
    """Return the HMAC-SHA256 that seals the entries of one backend; its key is made of the SECRET_KEY."""
    return salted_hmac(_FORMAT, name, algorithm="sha256")


def encode(kept: Kept, generation: str, seal: HMAC) -> str:
    """Write an answer as JSON behind its MAC."""
    members = kept.answer.info.to_dict() if kept.answer else None
    reason = None if kept.answer else kept.answer.reason
    text = json.dumps([kept.token_digest, generation, kept.since, members, reason])
    mac = seal.copy()
    mac.update(text.encode())
    return mac.hexdigest() + text


def decode(value: Any, token_digest: str, generation: str, seal: HMAC) -> Kept | None:
    """Read an answer; return None for one of another token or generation, and for values that `encode` did not write.

    What an attacker with access to the cache writes, another backend or a deployment with another SECRET_KEY has
    another MAC, and is not parsed. The members are checked like those of a response.
    """
    if not isinstance(value, str):
        return None
    try:
        text = value[_MAC_LENGTH:]
        mac = seal.copy()
        mac.update(text.encode())
        if not compare_digest(mac.hexdigest(), value[:_MAC_LENGTH]):
            return None
        found_digest, found_generation, since, members, reason = json.loads(text)
        if (found_digest, found_generation) != (token_digest, generation):
            return None
        answer = Inactive(Reason(reason)) if members is None else _active(members)
        return Kept(answer, token_digest, float(since))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None


def _active(members: Any) -> Active:
    if not isinstance(members, dict) or wrong_member(members) is not None:
        raise ValueError("these are not the members of an active token")
    return Active(TokenInfo(members))
