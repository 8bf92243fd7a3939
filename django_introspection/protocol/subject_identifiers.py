"""Subject identifiers: whom or what a security event is about (RFC 9493, OpenID Shared Signals Framework 1.0 §3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

MAX_VALUE = 1000
"""Characters of an identifier: a token with a longer one would not fit into a header."""


class UnsupportedSubject(ValueError):
    """The subject cannot be understood here; the message names the rule and quotes nothing."""


class Target(NamedTuple):
    """A claim of tokens and the value that ends them: `sub`, `sid`, `client_id` or `jti`."""

    claim: str
    value: str


def targets_of(subject: Any, *, issuer: str, is_session: bool = False) -> tuple[Target, ...]:
    """Return what a subject of an issuer names; one of several is enough for a token to be meant.

    Supported are the formats `iss_sub`, `opaque` (RFC 9493 §3.2), `jwt_id` and complex subjects (SSF 1.0 §3.2, §3.4).
    With `is_session`, an opaque subject may be that of a session or of a user, as CAEP 1.0 §3.1 has both. Of a complex
    subject the most exact member counts that this function understands: session, then user. An application counts if
    there is neither. Raises UnsupportedSubject.
    """
    members = _object(subject)
    if members.get("format") == "complex":
        return _complex(members, issuer)
    target = _simple(members, issuer, "sub")
    if is_session and members["format"] == "opaque":
        return (target, Target("sid", target.value))
    return (target,)


def user_of(subject: Any, *, issuer: str) -> tuple[Target, ...]:
    """Return the user that a complex subject names, nothing for a user that is not understood or another subject."""
    if not isinstance(subject, Mapping) or subject.get("format") != "complex":
        return ()
    return _understood(subject.get("user"), issuer, "sub")


def _complex(members: Mapping[str, Any], issuer: str) -> tuple[Target, ...]:
    for name, claim in (("session", "sid"), ("user", "sub")):
        if target := _understood(members.get(name), issuer, claim):
            return target
    if "session" in members or "user" in members:  # the application alone would end the tokens of every user
        raise UnsupportedSubject("neither the session nor the user of the complex subject is supported")
    if "application" not in members:
        raise UnsupportedSubject("a complex subject must name a session, a user or an application")
    return (_simple(_object(members["application"]), issuer, "client_id"),)


def _understood(member: Any, issuer: str, claim: str) -> tuple[Target, ...]:
    try:
        return (_simple(_object(member), issuer, claim),)
    except UnsupportedSubject:
        return ()


def _simple(members: Mapping[str, Any], issuer: str, claim: str) -> Target:
    """Return what a simple subject names; `claim` is the claim of tokens that an opaque identifier is found in."""
    match members.get("format"):
        case "opaque":
            return Target(claim, _text(members, "id"))
        case "iss_sub":
            _require_issuer(members, issuer)
            return Target(claim, _text(members, "sub"))
        case "jwt_id":
            _require_issuer(members, issuer)
            return Target("jti", _text(members, "jti"))
    raise UnsupportedSubject("the format of the subject is not supported")


def _require_issuer(members: Mapping[str, Any], issuer: str) -> None:
    if members.get("iss") != issuer:
        raise UnsupportedSubject("the iss of the subject is not the issuer of the event")


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_VALUE:
        raise UnsupportedSubject(f"the {name} of the subject must be a string of 1 to {MAX_VALUE} characters")
    return value


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UnsupportedSubject("the subject must be an object")
    return value
