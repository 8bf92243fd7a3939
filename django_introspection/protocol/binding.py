"""Whether the sender of an access token may use it: the keys in its member `cnf` (RFC 7800 §3.1, RFC 9449 §7)."""

from __future__ import annotations

from .answer import Reason
from .token_info import TokenInfo

_OTHER_KEYS = frozenset({"jwk", "jwe", "kid", "jku", "x5t#S256"})
"""Members of `cnf` that name a key in a way that is not checked here (RFC 7800 §3.1, RFC 8705 §3.1)."""


def binding_refusal(info: TokenInfo, jkt: str | None) -> Reason | None:
    """Return why the sender may not use a token, None if it may (RFC 9449 §7.1, §7.2).

    `jkt` is the thumbprint of the key that the sender proved to hold, None for a bearer token. A bearer token has no
    `cnf` at all. Unknown members are ignored if a key was proven (RFC 7800 §3.1).
    """
    confirmation = info.confirmation
    if jkt is None:
        is_bound = confirmation is not None or (info.token_type or "").lower() == "dpop"
        return Reason.BOUND_TO_A_KEY if is_bound else None
    if confirmation is None or "jkt" not in confirmation:
        return Reason.NOT_BOUND_TO_A_KEY
    if confirmation["jkt"] != jkt or not _OTHER_KEYS.isdisjoint(confirmation):
        return Reason.ANOTHER_KEY
    return None
