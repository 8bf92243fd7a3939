"""Delivering events to receivers: pushed (RFC 8935), or handed out when a receiver polls (RFC 8936)."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet

from ..conf import introspection_settings
from ..keys import signing_keys
from ..outbound.messages import Reply
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.security_event import SET_TYPE
from ..protocol.strict_json import parse_json_document
from .calling import post
from .models import SentEvent, SentStream
from .outbox import database

logger = logging.getLogger("django_introspection")

BATCH = 20
"""Events that are delivered before a process holds the stream anew."""
SECONDS = 5
"""Seconds that a receiver has for one event."""
LEASE = BATCH * SECONDS + 60
"""Seconds for which one process alone delivers the events of a stream."""
MOST_ROUNDS = 500
"""Batches of one stream in a call: a receiver with a steady flow of events must not hold the process."""
FIRST_PAUSE, LONGEST_PAUSE = 5, 3600
"""Seconds after the first failure; each further one doubles the pause."""
_FINAL = frozenset({"invalid_request", "invalid_state"})
"""Errors that are about the event itself; after any other, the event is sent again."""


@dataclass(slots=True)
class Delivered:
    """The outcome of one call; with `has_more`, events wait that could be delivered at once."""

    delivered: int = 0
    refused: int = 0
    failed_streams: int = 0
    has_more: bool = False


def deliver(*, rounds: int | None = None, only: SentStream | None = None) -> Delivered:
    """Push the events that wait, of every active stream whose pause is over; raises django.db.Error.

    In each round every stream has its turn with one batch, so that a slow receiver does not keep the others waiting.
    `rounds` is MOST_ROUNDS by default; `only` names one stream. A receiver that fails gets a pause.
    """
    outcome = Delivered()
    due = _streams().filter(is_active=True, delivery=SentStream.Delivery.PUSH, next_try_at__lte=_now())
    streams = list(due if only is None else due.filter(pk=only.pk))
    for _ in range(rounds or MOST_ROUNDS):
        streams = [stream for stream in streams if _take_turn(stream, outcome)]
    outcome.has_more = bool(streams)
    return outcome


def waiting(stream: SentStream) -> QuerySet[SentEvent]:
    """Return the events that a receiver has not got and that are still of use, the oldest first."""
    events = SentEvent.objects.using(database())
    return events.filter(stream=stream, done_at=None, expires_at__gt=_now()).order_by("pk")


def signed(event: SentEvent, stream: SentStream) -> str:
    """Return the security event token of an event; raises IntrospectionUnavailable without ISSUER or SIGNING_KEYS."""
    keys = signing_keys()
    if introspection_settings.ISSUER is None or not keys:
        raise IntrospectionUnavailable("no event can be signed: ISSUER or SIGNING_KEYS is not set")
    claims = {
        "iss": introspection_settings.ISSUER,
        "aud": stream.audience,
        "jti": str(event.jti),
        "iat": event.created_at,
        **event.claims,
    }
    return keys[0].sign_jwt(SET_TYPE, claims)


def note_done(stream: SentStream, jtis: Iterable[UUID]) -> None:
    """Note that a receiver has acknowledged or refused events."""
    now = _now()
    own = SentEvent.objects.using(database()).filter(stream=stream, jti__in=list(jtis), done_at=None)
    moments = list(own.values_list("created_at", flat=True))
    if own.update(done_at=now):
        changes = {"last_event_at": now, "last_delay": max(0, now - max(moments)), "count": F("count") + len(moments)}
        _streams().filter(pk=stream.pk).update(**changes)


def note_failure(stream: SentStream, problem: str) -> None:
    """Record a failure in the row of the stream."""
    logger.warning("an event of the stream %s could not be delivered: %s", stream.pk, problem)
    changes = {"failures": F("failures") + 1, "last_failure_at": _now(), "last_failure": problem[:255]}
    _streams().filter(pk=stream.pk).update(**changes)


def _take_turn(stream: SentStream, outcome: Delivered) -> bool:
    """Push one batch of events, and return whether the stream can have another turn."""
    if not waiting(stream).exists() or not _hold(stream):
        return False
    if not _deliver_batch(stream, outcome):
        _pause(stream)
        outcome.failed_streams += 1
        return False
    _streams().filter(pk=stream.pk).update(next_try_at=0, pause=0)
    return waiting(stream).exists()


def _hold(stream: SentStream) -> bool:
    """Return whether this process may deliver the events of a stream now: it holds the stream for LEASE seconds."""
    now = _now()
    own = _streams().filter(pk=stream.pk, is_active=True, next_try_at__lte=now)
    return own.update(next_try_at=now + LEASE) == 1


def _deliver_batch(stream: SentStream, outcome: Delivered) -> bool:
    """Push events, and return whether the receiver took or refused each of them."""
    for event in waiting(stream)[:BATCH]:
        try:
            token = signed(event, stream).encode()
            reply = post(stream, stream.endpoint_url, token, f"application/{SET_TYPE}", seconds=SECONDS)
        except IntrospectionUnavailable as problem:
            note_failure(stream, str(problem))
            return False
        if reply.status in (200, 202):
            outcome.delivered += 1
        else:
            err = _error(reply)
            note_failure(stream, f"{reply.host} answers {reply.status} {err}".strip())
            if err not in _FINAL:
                return False
            outcome.refused += 1
        note_done(stream, [event.jti])
    return True


def _error(reply: Reply) -> str:
    """Return the error code of a 400, an empty string for any other answer (RFC 8935 §2.3)."""
    if reply.status != 400:
        return ""
    try:
        err: Any = parse_json_document(reply.body).get("err")
    except ValueError:
        return ""
    return err if isinstance(err, str) and err.isascii() and err.isidentifier() and len(err) < 64 else ""


def _pause(stream: SentStream) -> None:
    own = _streams().filter(pk=stream.pk)  # none if the stream was deleted meanwhile
    for last in own.values_list("pause", flat=True):
        pause = min(max(FIRST_PAUSE, 2 * last), LONGEST_PAUSE)
        own.update(pause=pause, next_try_at=_now() + pause)


def _streams() -> QuerySet[SentStream]:
    return SentStream.objects.using(database())


def _now() -> int:
    return int(time.time())
