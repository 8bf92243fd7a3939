"""Checks of another server's answer about a token: its times and its issuer (RFC 7662 §4)."""

from __future__ import annotations

import math

from .answer import Reason
from .token_info import TokenInfo


def is_in_time(info: TokenInfo, *, now: float, leeway: int) -> bool:
    """Return whether a token is valid now by its times; `now` and `leeway` are in seconds."""
    return bool(now - leeway < info.get("exp", math.inf) and now + leeway >= info.get("nbf", 0))


def invalid_reason(info: TokenInfo, *, issuer: str | None, now: float, leeway: int) -> Reason | None:
    """Return why a token is not valid now, None if it is; `now` and `leeway` are in seconds.

    `issuer` is the only one that is accepted, None for any. An answer that names no issuer is accepted.
    """
    if not is_in_time(info, now=now, leeway=leeway):
        return Reason.EXPIRED if now - leeway >= info.get("exp", math.inf) else Reason.NOT_YET_VALID
    if issuer is not None and info.iss not in (None, issuer):
        return Reason.WRONG_ISSUER
    return None
