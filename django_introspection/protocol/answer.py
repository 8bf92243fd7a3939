"""The answer to the one question: what does this token mean, now?"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from .token_info import TokenInfo


class Reason(StrEnum):
    """Why a token is not good: for signal, log and operator, never for the wire (RFC 7662 §4)."""

    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    BAD_SIGNATURE = "not signed by its issuer"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    REVOKED = "revoked"
    USER_INACTIVE = "user inactive"
    USER_UNKNOWN = "no such user here"
    USER_PRIVILEGED = "its user is staff here"
    CLIENT_INACTIVE = "client inactive"
    CALLER_POLICY = "not for this caller"
    WRONG_ISSUER = "wrong issuer"
    WRONG_AUDIENCE = "wrong audience"
    NOT_AN_ACCESS_TOKEN = "not an access token"
    BOUND_TO_A_KEY = "bound to a key"
    NOT_BOUND_TO_A_KEY = "not bound to a key"
    ANOTHER_KEY = "not bound to this key alone"
    INACTIVE = "the authorization server says inactive"


@dataclass(frozen=True, slots=True)
class Active:
    """The token is good; `user` is the local user where the source knows one."""

    info: TokenInfo
    user: Any = field(default=None, repr=False)

    def __bool__(self) -> Literal[True]:
        return True


@dataclass(frozen=True, slots=True)
class Inactive:
    """The token is not good."""

    reason: Reason

    def __bool__(self) -> Literal[False]:
        return False


Answer = Active | Inactive
