"""For the tests of projects that use this package: tokens without a server, a server of one's own, assertions."""

from __future__ import annotations

from .challenges import Challenge, assert_challenge, assert_unauthorized, assert_unavailable
from .server import FakeAuthorizationServer, ReceivedRequest
from .tokens import authenticate, bearer, fake_tokens, inactive, token, unavailable

__all__ = [
    "Challenge",
    "FakeAuthorizationServer",
    "ReceivedRequest",
    "assert_challenge",
    "assert_unauthorized",
    "assert_unavailable",
    "authenticate",
    "bearer",
    "fake_tokens",
    "inactive",
    "token",
    "unavailable",
]
