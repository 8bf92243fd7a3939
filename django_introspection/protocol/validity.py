"""Checks of another server's answer about a token: its times and its issuer (RFC 7662 §4)."""

from __future__ import annotations

import math

from .answer import Reason
from .token_info import TokenInfo


def invalid_reason(info: TokenInfo, *, issuer: str | None, now: float, leeway: int) -> Reason | None:
    """Return why a token is not valid now, None if it is; `now` and `leeway` are in seconds.

    `issuer` is the only one that is accepted, None for any. An answer that names no issuer is accepted.
    """
    if now - leeway >= info.get("exp", math.inf):
        return Reason.EXPIRED
    if now + leeway < info.get("nbf", 0):
        return Reason.NOT_YET_VALID
    if issuer is not None and info.iss not in (None, issuer):
        return Reason.WRONG_ISSUER
    return None
