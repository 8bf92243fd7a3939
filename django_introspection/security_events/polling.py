"""Polling a transmitter for events (RFC 8936)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..protocol.errors import IntrospectionUnavailable, InvalidResponse
from ..protocol.security_event import EventRefused
from ..protocol.strict_json import parse_json_document
from .calling import post
from .models import ReceivedStream
from .receiving import note_failure, receive_polled

MOST = 20
"""Events of one reply, whose size is limited."""
SECONDS = 10
WAITING_SECONDS = 60
"""Seconds that a request may take, without and with waiting for an event."""


@dataclass(slots=True)
class Polled:
    """The outcome of one call: how many events were received and refused, and whether the transmitter has more."""

    received: int = 0
    refused: int = 0
    has_more: bool = False


@dataclass(slots=True)
class _Answers:
    """The events that the next request acknowledges and refuses."""

    ack: list[str] = field(default_factory=list)
    errors: dict[str, dict[str, str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.ack or self.errors)

    def members(self) -> dict[str, Any]:
        return {**({"ack": self.ack} if self.ack else {}), **({"setErrs": self.errors} if self.errors else {})}


def poll(stream: ReceivedStream, *, wait: bool = False) -> Polled:
    """Receive one reply of a transmitter, with at most MOST events, and acknowledge each event after its effect.

    With `wait` the transmitter may wait for the first event. An event that could not have its effect is neither
    acknowledged nor refused, so the transmitter sends it again. Raises IntrospectionUnavailable if the transmitter
    cannot be reached or an event could not have its effect, and django.db.Error for the latter.
    """
    polled, answers = Polled(), _Answers()
    try:
        sets, has_more = _exchange(stream, answers, most=MOST, wait=wait)
        try:
            for jti, token in sets.items():
                _receive(stream, jti, token, answers, polled)
        finally:
            if answers:
                _exchange(stream, answers, most=0, wait=False)
    except IntrospectionUnavailable as problem:
        note_failure(stream, str(problem))
        raise
    polled.has_more = has_more and bool(sets)
    return polled


def _receive(stream: ReceivedStream, jti: str, token: Any, answers: _Answers, polled: Polled) -> None:
    try:
        if not isinstance(token, str):
            raise EventRefused("invalid_request", "the security event token must be a string")
        receive_polled(token, stream, jti=jti)
    except EventRefused as refusal:
        note_failure(stream, f"{refusal.err}: {refusal.description}")
        answers.errors[jti] = {"err": refusal.err, "description": refusal.description}
        polled.refused += 1
    else:
        answers.ack.append(jti)
        polled.received += 1


def _exchange(stream: ReceivedStream, answers: _Answers, *, most: int, wait: bool) -> tuple[Mapping[str, Any], bool]:
    """Return the tokens by their `jti`, and whether the transmitter has more (RFC 8936 §2.4, §2.5)."""
    members = {"maxEvents": most, "returnImmediately": not wait, **answers.members()}
    body = json.dumps(members).encode()
    seconds = WAITING_SECONDS if wait else SECONDS
    reply = post(stream, stream.poll_url, body, "application/json", seconds=seconds)
    if reply.status != 200:
        raise IntrospectionUnavailable(f"{reply.host} answers {reply.status} instead of events")
    try:
        found = parse_json_document(reply.body)
    except ValueError as problem:
        raise InvalidResponse(f"the response of {reply.host} {problem}") from None
    sets = found.get("sets", {})
    if not isinstance(sets, dict):
        raise InvalidResponse(f"the response of {reply.host} has no object of events")
    return sets, found.get("moreAvailable") is True
