"""The actors of a token, which act for its subject: `act` and `may_act` (RFC 8693 §4.1, §4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_ACTORS = 10
"""The most actors of a chain; each is a part of every answer about the token."""
_NOT_IDENTITY = frozenset({"exp", "nbf", "iat", "aud", "cnf", "scope"})
"""Claims of a token that say nothing about an actor (RFC 8693 §4.1)."""


def wrong_actor(members: Mapping[str, Any]) -> str | None:
    """Return the rule that `act` or `may_act` breaks, None if there is none."""
    if "act" in members and not _is_chain(members["act"]):
        return f"act must be an object with a sub and claims of identity, with at most {MAX_ACTORS} actors in it"
    if "may_act" in members and not (_is_identity(members["may_act"]) and "act" not in members["may_act"]):
        return "may_act must be an object with a sub and claims of identity"
    return None


def acting(actor: Mapping[str, Any], members: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the member `act` of a token whose subject an actor now acts for; None if there are too many actors.

    The actors of before are inside of it, and are information alone (RFC 8693 §4.1).
    """
    act = {**actor, "act": members["act"]} if "act" in members else dict(actor)
    return act if _is_chain(act) else None


def may_act(actor: Mapping[str, Any], members: Mapping[str, Any]) -> bool:
    """Return whether the member `may_act` of a token, if it has one, names this actor (RFC 8693 §4.4)."""
    named = members.get("may_act", {})
    return isinstance(named, Mapping) and all(name in actor and actor[name] == value for name, value in named.items())


def _is_chain(act: Any) -> bool:
    for _ in range(MAX_ACTORS):
        if not _is_identity(act):
            return False
        if "act" not in act:
            return True
        act = act["act"]
    return False


def _is_identity(claims: Any) -> bool:
    if not isinstance(claims, Mapping) or not _NOT_IDENTITY.isdisjoint(claims):
        return False
    return isinstance(claims.get("sub"), str) and claims["sub"] != ""
