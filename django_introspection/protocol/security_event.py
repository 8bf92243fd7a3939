"""Security event tokens and logout tokens: their claims, and which tokens an event ends.

Sources: RFC 8417, OpenID Shared Signals Framework 1.0, CAEP 1.0, RISC 1.0, OpenID Connect Back-Channel Logout 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .jwt import UnverifiedJWT
from .subject_identifiers import MAX_VALUE, Target, UnsupportedSubject, targets_of, user_of
from .times import in_seconds, is_time

SET_TYPE = "secevent+jwt"
LOGOUT_TYPE = "logout+jwt"
_TYPES = {SET_TYPE: (SET_TYPE,), LOGOUT_TYPE: (LOGOUT_TYPE, "jwt", None)}
"""What the header may have as `typ`. Many servers do not name the type of a logout token, which is only RECOMMENDED
(OpenID Connect Back-Channel Logout 1.0 §2.4); `events` and the missing `nonce` show what it is."""
MAX_SET = 64 * 1024
"""The most characters of a security event token."""
MAX_JTI = 255
LOGOUT_SECONDS = 300
"""The life of a logout token without `exp`, which is REQUIRED (OpenID Connect Back-Channel Logout 1.0 §2.4) and which
several servers do not send."""
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
_CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
_RISC = "https://schemas.openid.net/secevent/risc/event-type/"
_SSF = "https://schemas.openid.net/secevent/ssf/event-type/"
SESSION_REVOKED = f"{_CAEP}session-revoked"
CREDENTIAL_CHANGE = f"{_CAEP}credential-change"
VERIFICATION = f"{_SSF}verification"
STREAM_UPDATED = f"{_SSF}stream-updated"
ENDING = frozenset(
    {
        *(SESSION_REVOKED, CREDENTIAL_CHANGE, f"{_CAEP}token-claims-change"),
        *(f"{_RISC}account-disabled", f"{_RISC}account-purged"),
        *(f"{_RISC}credential-compromise", f"{_RISC}sessions-revoked"),
    }
)
"""The events that end tokens; every other event is acknowledged."""
_OF_SESSIONS = frozenset({SESSION_REVOKED})


class EventRefused(Exception):
    """A security event token is refused; `err` is the code of RFC 8935 §2.4, and the description quotes nothing."""

    def __init__(self, err: str, description: str) -> None:
        super().__init__(description)
        self.err, self.description = err, description


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """One event: it ends the tokens of its targets that were issued up to its moment, in seconds."""

    members: Mapping[str, Any]
    moment: float
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class SecurityEvents:
    """The events of one token, by their types."""

    issuer: str
    jti: str
    issued_at: float
    events: Mapping[str, SecurityEvent]
    subject: Any

    @property
    def targets(self) -> dict[Target, float]:
        """Return what the events end, with the latest moment of each target."""
        latest: dict[Target, float] = {}
        for event in self.events.values():
            for target in event.targets:
                latest[target] = max(event.moment, latest.get(target, 0))
        return latest


def read_event(
    jwt: UnverifiedJWT, *, issuer: str, audience: str, now: float, leeway: int, ends_whole_user: bool = False
) -> SecurityEvents:
    """Return the events of a security event token whose signature was verified (RFC 8417 §2.2, SSF 1.0 §4.1).

    With `ends_whole_user`, an event about a session also ends the tokens of its user. Raises EventRefused.
    """
    claims = _common_claims(jwt, SET_TYPE, issuer=issuer, audience=audience, now=now, leeway=leeway)
    if unwanted := {"exp", "sub"} & claims.keys():  # SSF 1.0 §4.1.2, §4.1.7
        raise _invalid(f"the claim {min(unwanted)} must not be in a security event token")
    if not is_time(claims.get("toe", 0)):
        raise _invalid("toe must be a number of seconds")
    events = {
        name: _event(name, members, claims, ends_whole_user=ends_whole_user)
        for name, members in _events(claims).items()
    }
    return SecurityEvents(issuer, claims["jti"], claims["iat"], events, claims.get("sub_id"))


def read_logout(
    jwt: UnverifiedJWT, *, issuer: str, audience: str, now: float, leeway: int, ends_whole_user: bool = False
) -> SecurityEvents:
    """Return the event of a logout token whose signature was verified (OpenID Connect Back-Channel Logout 1.0 §2.6).

    Raises EventRefused.
    """
    claims = _common_claims(jwt, LOGOUT_TYPE, issuer=issuer, audience=audience, now=now, leeway=leeway)
    expires_at = claims.get("exp", claims["iat"] + LOGOUT_SECONDS)
    if not is_time(expires_at) or now >= expires_at + leeway:
        raise _invalid("the logout token has expired, or its exp is not a number of seconds")
    if "nonce" in claims:
        raise _invalid("a logout token must not have a nonce")
    events = _events(claims)
    if LOGOUT not in events:
        raise _invalid("events has no backchannel-logout")
    named = {claim: claims[claim] for claim in ("sid", "sub") if claim in claims}
    if not named or not all(isinstance(value, str) and 0 < len(value) <= MAX_VALUE for value in named.values()):
        raise _invalid("a logout token must have sub or sid")
    targets = tuple(Target(claim, value) for claim, value in named.items())
    if not ends_whole_user:
        targets = targets[:1]
    read = {name: SecurityEvent(members, claims["iat"]) for name, members in events.items()}
    read[LOGOUT] = SecurityEvent(events[LOGOUT], claims["iat"], targets)
    return SecurityEvents(issuer, claims["jti"], claims["iat"], read, named)


def require_type(jwt: UnverifiedJWT, media_type: str) -> None:
    """Raise EventRefused unless the header of a token fits its type: SET_TYPE or LOGOUT_TYPE."""
    if jwt.media_type not in _TYPES[media_type]:
        raise _invalid(f"the header typ must be {media_type}")


def _common_claims(
    jwt: UnverifiedJWT, media_type: str, *, issuer: str, audience: str, now: float, leeway: int
) -> Mapping[str, Any]:
    claims = jwt.claims
    require_type(jwt, media_type)
    if claims.get("iss") != issuer:
        raise EventRefused("invalid_issuer", "the issuer is not that of the stream")
    if audience not in audiences_of(claims):
        raise EventRefused("invalid_audience", "the audience is not that of the stream")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        raise _invalid(f"jti must be a string of 1 to {MAX_JTI} characters")
    if not is_time(claims.get("iat")) or claims["iat"] > now + leeway:
        raise _invalid("iat is missing, or is in the future")
    return claims


def audiences_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the audience of a security event token as a sequence."""
    audience = claims.get("aud")
    each = audience if isinstance(audience, list) else [audience]
    return tuple(value for value in each if isinstance(value, str))


def _events(claims: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    events = claims.get("events")
    if not isinstance(events, Mapping) or not events or not all(isinstance(each, Mapping) for each in events.values()):
        raise _invalid("events must be an object that has an object for each event")
    return events


def _event(name: str, members: Mapping[str, Any], claims: Mapping[str, Any], *, ends_whole_user: bool) -> SecurityEvent:
    moment = claims.get("toe", claims["iat"])
    if not _ends_tokens(name, members):
        return SecurityEvent(members, moment)
    targets = _targets(name, claims, ends_whole_user=ends_whole_user)
    return SecurityEvent(members, _moment(members, moment), targets)


def _ends_tokens(name: str, members: Mapping[str, Any]) -> bool:
    """Return whether an event ends tokens: a further credential ends none (CAEP 1.0 §3.3)."""
    return name in ENDING and (name != CREDENTIAL_CHANGE or members.get("change_type") != "create")


def _moment(members: Mapping[str, Any], otherwise: float) -> float:
    """Return the moment of an event in seconds; drafts of CAEP had `event_timestamp` in milliseconds."""
    moment = in_seconds(members.get("event_timestamp", otherwise))
    if not is_time(moment):
        raise _invalid("event_timestamp must be a number of seconds")
    return float(moment)


def _targets(name: str, claims: Mapping[str, Any], *, ends_whole_user: bool) -> tuple[Target, ...]:
    subject, issuer = claims.get("sub_id"), claims["iss"]
    try:
        targets = targets_of(subject, issuer=issuer, is_session=name in _OF_SESSIONS)
        users = user_of(subject, issuer=issuer) if ends_whole_user else ()
    except UnsupportedSubject as problem:
        raise _invalid(str(problem)) from None
    return tuple(dict.fromkeys((*targets, *users)))


def _invalid(description: str) -> EventRefused:
    return EventRefused("invalid_request", description)
