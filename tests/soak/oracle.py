"""The truth about every token of a run, and what an answer may be at a moment; pure, with times of one clock.

A request is known by the moments at which it was sent and its answer was received. Between the start of an event and
its acknowledgement either answer is right; a request that is sent after the acknowledgement must see the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from .site import INACTIVE_MAX_AGE, LEEWAY, TIMEOUT, Source

ENABLED_LATE = INACTIVE_MAX_AGE + TIMEOUT + 1
"""Seconds after a client was enabled for which a kept inactive answer may be given: it may have been on its way."""


class Expected(IntEnum):
    """What an answer must say; of several reasons the greatest counts."""

    ACTIVE = 0
    EITHER = 1
    INACTIVE = 2


@dataclass
class Event:
    """A change that was requested, and perhaps acknowledged."""

    begun: float | None = None
    acknowledged: float | None = None

    def ends_at(self, sent: float, received: float) -> Expected:
        """Return what is expected of a token that this event ends."""
        if self.acknowledged is not None and self.acknowledged <= sent:
            return Expected.INACTIVE
        if self.begun is not None and self.begun <= received:
            return Expected.EITHER
        return Expected.ACTIVE


@dataclass
class Disabling:
    """A client that is disabled and later enabled."""

    disabled: Event
    enabled: Event = field(default_factory=Event)

    def ends_at(self, source: Source, sent: float, received: float) -> Expected:
        """Return what is expected of the client's tokens, by a view with this source of answers."""
        late = ENABLED_LATE if source is Source.KEPT else 0
        if self.enabled.acknowledged is not None and self.enabled.acknowledged + late < sent:
            return Expected.ACTIVE
        if self.enabled.begun is not None and self.enabled.begun <= received:
            return Expected.EITHER
        return self.disabled.ends_at(sent, received)

    @property
    def is_over(self) -> bool:
        return self.enabled.acknowledged is not None


@dataclass(eq=False)
class Grant:
    """The tokens that one user granted, with the refresh token that may be used next."""

    client_id: str
    refresh_token: str | None
    ends: float
    """Until then its refresh tokens have not expired, the used ones included."""
    used: list[str] = field(default_factory=list)
    tokens: list[KnownToken] = field(default_factory=list)
    end: Event = field(default_factory=Event)
    is_busy: bool = False


@dataclass(eq=False)
class KnownToken:
    """An access token as it was issued."""

    value: str
    is_jwt: bool
    client_id: str
    scopes: frozenset[str]
    audience: str
    subject: str
    expires: tuple[float, float]
    """The earliest and the latest moment at which it expires, by the clock of the driver."""
    grant: Grant | None = None
    token_id: str = ""
    end: Event = field(default_factory=Event)

    @property
    def events(self) -> Sequence[Event]:
        """What can end it before it expires."""
        return (self.end,) if self.grant is None else (self.end, self.grant.end)

    @property
    def is_untouched(self) -> bool:
        return all(event.begun is None for event in self.events)

    def is_over(self, now: float) -> bool:
        return self.expires[1] < now or any(event.acknowledged is not None for event in self.events)


class Oracle:
    """Say what an answer about a token must be; it also knows which clients are disabled."""

    def __init__(self) -> None:
        self.disablings: dict[str, list[Disabling]] = {}

    def expected(self, token: KnownToken, source: Source, sent: float, received: float) -> Expected:
        """Return what an answer about a token must say to a request of these moments."""
        return max(
            self._expired(token, source, sent, received),
            *(event.ends_at(sent, received) for event in token.events),
            *(each.ends_at(source, sent, received) for each in self.disablings.get(token.client_id, ())),
        )

    def may_be_refused(self, client_id: str, sent: float, received: float) -> bool:
        """Return whether the client may be refused because it is disabled."""
        periods = self.disablings.get(client_id, ())
        return any(each.ends_at(Source.ASKED, sent, received) is not Expected.ACTIVE for each in periods)

    @staticmethod
    def _expired(token: KnownToken, source: Source, sent: float, received: float) -> Expected:
        earliest, latest = token.expires
        if sent > latest + (LEEWAY if source is Source.SIGNED else 0):
            return Expected.INACTIVE
        return Expected.EITHER if received >= earliest else Expected.ACTIVE


def wrong_activity(expected: Expected, *, is_active: bool) -> list[str]:
    """Return what is wrong with an answer that is active or not."""
    if expected is Expected.INACTIVE and is_active:
        return ["active, although the token had ended before the request was sent"]
    if expected is Expected.ACTIVE and not is_active:
        return ["inactive, although the token is valid"]
    return []


def wrong_members(token: KnownToken, members: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the members of an active answer (RFC 7662 §2.2), their values included."""
    right = {
        "scope": token.scopes,
        "aud": [token.audience],
        "client_id": token.client_id,
        "sub": token.subject,
        "jti": token.token_id or members.get("jti"),
    }
    found = {**{name: members.get(name) for name in right}, "scope": frozenset(_words(members.get("scope")))}
    return [f"{name} is {found[name]!r}, not {right[name]!r}" for name in right if found[name] != right[name]]


def wrong_status(token: KnownToken, needed: str, status: int) -> list[str]:
    """Return what is wrong with the status of a view that accepted the token: 200, or 403 without the scope."""
    right = 200 if needed in token.scopes else 403
    return [] if status == right else [f"status {status}, not {right}"]


def _words(scope: object) -> Iterable[str]:
    return scope.split() if isinstance(scope, str) else ()
