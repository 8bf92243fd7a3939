"""Explanations of rejections: the expected and the found value, for the log, the debugger and the command.

They contain no token and no secret. Values come from outside, so they are escaped and cut: none can forge a line of the
log or fill it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from . import dialects
from .answer import Inactive, Reason
from .binding import JKT, NO_KEYS, OTHER_KEYS, X5T, ProvenKeys
from .claims import RequiredClaim
from .networks import MEMBER as NETWORKS
from .token_info import TokenInfo

MAX_VALUE = 200
"""Characters of one value that are shown."""
MAX_VALUES = 10
"""Values that are shown of a list."""
ACCESS_KINDS = "token_type 'Bearer' or 'DPoP'"
"""What is expected of a member that names the kind of a token."""


def explain(
    reason: Reason,
    info: TokenInfo,
    *,
    issuer: str | None,
    audience: Collection[str] = (),
    audience_claim: str = "aud",
    now: float,
    leeway: int,
    keys: ProvenKeys = NO_KEYS,
    address: str | None = None,
) -> Inactive:
    """Return the rejection of a token for this reason, with the expected and the found value.

    `issuer` and `audience` are those that the resource server expects, the latter in the member `audience_claim`; `now`
    and `leeway` are in seconds; `keys` are those that the sender proved to hold, `address` is where the token was sent
    from.
    """
    clock = f"{_moment(now)}, {leeway} s allowed"
    match reason:
        case Reason.NOT_AN_ACCESS_TOKEN:
            hashes = sorted(dialects.HASHES)
            expected = (
                ACCESS_KINDS if dialects.HASHES.isdisjoint(info) else f"{ACCESS_KINDS} and no {' or '.join(hashes)}"
            )
            return Inactive(reason, expected, found_members(info, [*dialects.KINDS, *hashes]))
        case Reason.BOUND_TO_A_KEY:
            return Inactive(reason, "a bearer token without cnf", _binding(info))
        case Reason.NOT_BOUND_TO_A_KEY:
            return Inactive(reason, "cnf with jkt", _binding(info))
        case Reason.ANOTHER_KEY:
            proven = [f"{name} {quoted([key])}" for name, key in ((JKT, keys.jkt), (X5T, keys.x5t)) if key]
            return Inactive(reason, f"cnf with {' and '.join(proven)} alone", _binding(info))
        case Reason.EXPIRED:
            return Inactive(reason, f"exp after {clock}", f"exp {_moment(info['exp'])}")
        case Reason.NOT_YET_VALID:
            return Inactive(reason, f"nbf before {clock}", f"nbf {_moment(info['nbf'])}")
        case Reason.WRONG_ISSUER:
            return Inactive(reason, f"iss {quoted([issuer])}", f"iss {quoted([info.iss])}")
        case Reason.WRONG_AUDIENCE:
            found = dialects.audiences(info, audience_claim)
            return Inactive(reason, f"{audience_claim} {quoted(sorted(audience))}", f"{audience_claim} {quoted(found)}")
        case Reason.OUTSIDE_NETWORKS:
            return Inactive(reason, _networks(info), f"address {quoted([address])}" if address else "no known address")
    return Inactive(reason)


def insufficient_scope(info: TokenInfo, required: Iterable[str]) -> Inactive:
    """Return the rejection of a token that lacks some of the required scopes (RFC 6750 §3.1)."""
    return Inactive(Reason.INSUFFICIENT_SCOPE, f"scope {quoted(required)}", f"scope {quoted(sorted(info.scopes))}")


def missing_claim(info: Mapping[str, Any], required: RequiredClaim) -> str:
    """Return why a token is refused that lacks every value of a claim."""
    expected, found = quoted(required.values), quoted(required.found(info))
    return f"missing claim; expected any of {expected} in {list(required.path)}; found {found}"


def quoted(values: Iterable[Any], *, most: int = MAX_VALUES) -> str:
    """Return values in quotes, escaped and cut, `most` of them; "none" if there are none."""
    every = list(values)
    shown = [_cut(value) for value in every[:most]]
    return ", ".join(shown + ["…"] * (len(every) > most)) or "none"


def found_members(members: Mapping[str, Any], names: Iterable[str]) -> str:
    """Return those of the members that have these names, each with its value; "no token_type" if there are none."""
    found = [f"{name} {quoted([members[name]])}" for name in names if name in members]
    return ", ".join(found) or "no token_type"


def _cut(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"


def _binding(info: TokenInfo) -> str:
    if info.confirmation is None:
        return "no cnf" if info.token_type is None else f"token_type {quoted([info.token_type])} and no cnf"
    members = [_confirmation(name, value) for name, value in sorted(info.confirmation.items())]
    return f"cnf with {', '.join(members[:MAX_VALUES] + ['…'] * (len(members) > MAX_VALUES)) or 'no key'}"


def _confirmation(name: str, value: Any) -> str:
    """Return the kind of key that a member of `cnf` names, with its value if that is a thumbprint."""
    if name in (JKT, X5T) and isinstance(value, str):
        return f"{name} {quoted([value])}"
    return name if name in (JKT, X5T, *OTHER_KEYS) else _cut(name)


def _networks(info: TokenInfo) -> str:
    value = info[NETWORKS]
    return f"an address in {NETWORKS} {quoted(value if isinstance(value, tuple) else [value])}"


def _moment(seconds: float) -> str:
    """Return a time of a token in UTC, or its number if the calendar does not reach that far."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):
        return str(seconds)
