"""Whether the sender of an access token may use it: the keys in its member `cnf` (RFC 7800 §3.1)."""

from __future__ import annotations

from typing import NamedTuple

from .answer import Reason
from .token_info import TokenInfo

JKT, X5T = "jkt", "x5t#S256"
"""Members of `cnf`: the key of a DPoP proof (RFC 9449 §6), the certificate of a TLS client (RFC 8705 §3.1)."""
OTHER_KEYS = frozenset({"jwk", "jwe", "kid", "jku"})
"""Members of `cnf` that name a key in a way that is not checked here (RFC 7800 §3.1)."""


class ProvenKeys(NamedTuple):
    """The keys that the sender of a token proved to hold: the thumbprints of a proof's key and of a certificate."""

    jkt: str | None = None
    x5t: str | None = None


NO_KEYS = ProvenKeys()


def binding_refusal(info: TokenInfo, keys: ProvenKeys) -> Reason | None:
    """Return why the sender may not use a token, None if it may (RFC 9449 §7.1, §7.2, RFC 8705 §3).

    A token without `cnf` is one that anyone may send, with a certificate or without, but not with a proof. Every key
    that `cnf` names must be proven. Unknown members are ignored if a key was proven (RFC 7800 §3.1).
    """
    cnf = info.confirmation
    if keys.jkt is not None and (cnf is None or JKT not in cnf):
        return Reason.NOT_BOUND_TO_A_KEY
    is_for_proofs = (info.token_type or "").lower() == "dpop"
    if cnf is None:
        return Reason.BOUND_TO_A_KEY if is_for_proofs else None
    is_for_certificate = X5T in cnf and JKT not in cnf and not is_for_proofs
    if keys.jkt is None and (keys.x5t is None or not is_for_certificate):
        return Reason.BOUND_TO_A_KEY
    proven = {JKT: keys.jkt, X5T: keys.x5t}
    are_proven = all(value is not None and cnf[name] == value for name, value in proven.items() if name in cnf)
    return None if are_proven and OTHER_KEYS.isdisjoint(cnf) else Reason.ANOTHER_KEY
