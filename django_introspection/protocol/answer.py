"""The answer to the one question: what does this token mean, now?"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, final

from .token_info import TokenInfo


class Reason(StrEnum):
    """Why a token is rejected: for the signal, the log and the operator, never for the wire (RFC 7662 §4)."""

    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    ALGORITHM = "algorithm not accepted"
    UNKNOWN_KEY = "signed with an unknown key"
    BAD_SIGNATURE = "not signed by its issuer"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    REVOKED = "revoked"
    USER_INACTIVE = "user inactive"
    USER_UNKNOWN = "no such user here"
    USER_PRIVILEGED = "its user is staff here"
    USER_REFUSED = "its user is refused here"
    CLIENT_INACTIVE = "client inactive"
    CALLER_POLICY = "not for this caller"
    WRONG_ISSUER = "wrong issuer"
    WRONG_AUDIENCE = "wrong audience"
    NOT_AN_ACCESS_TOKEN = "not an access token"
    BOUND_TO_A_KEY = "bound to a key"
    NOT_BOUND_TO_A_KEY = "not bound to a key"
    ANOTHER_KEY = "not bound to this key alone"
    OUTSIDE_NETWORKS = "sent from outside of its networks"
    INACTIVE = "the authorization server says inactive"
    UNSUPPORTED_TYPE = "the authorization server does not introspect this type of token"
    INSUFFICIENT_SCOPE = "insufficient scope"


@final
@dataclass(frozen=True, slots=True)
class Active:
    """The token is active; `user` is the local user if the source knows one.

    An answer that is kept is judged with each request. `accepted_by` is the backend whose rules it has met before, for
    a sender without keys; only those about time can have another result later. The class is true without a method that
    says so, which each request would call several times.
    """

    info: TokenInfo
    user: Any = field(default=None, repr=False)
    accepted_by: Any = field(default=None, init=False, repr=False, compare=False)

    def note_accepted(self, by: Any) -> None:
        """Note that the answer meets the rules of a backend for a sender without keys."""
        object.__setattr__(self, "accepted_by", by)


@dataclass(frozen=True, slots=True)
class Inactive:
    """The token is inactive, or rejected by this resource server.

    `expected` and `found` explain the reason to an operator, in words that hold no token: an audience, an issuer, a
    kind. Both are empty if the reason says everything.
    """

    reason: Reason
    expected: str = field(default="", compare=False)
    found: str = field(default="", compare=False)

    def __bool__(self) -> Literal[False]:
        return False

    def __str__(self) -> str:
        """Return the reason, followed by the expected and the found value."""
        details = (("expected", self.expected), ("found", self.found))
        return "; ".join([self.reason, *(f"{name} {text}" for name, text in details if text)])


Answer = Active | Inactive
