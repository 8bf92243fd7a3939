"""Receiving an event: verify it, cut off what it ends, and only then let it be acknowledged."""

from __future__ import annotations

import logging
import time
from hmac import compare_digest

from django.db import InterfaceError, OperationalError, router
from django.db.models import F, Q, QuerySet
from django.utils.encoding import force_bytes

from ..conf import introspection_settings
from ..cut_offs import Kind
from ..jose import is_signed_by
from ..outbound.jwks import remote_key_sets
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.jwt import SIGNING_ALGORITHMS, MalformedJWT, UnverifiedJWT, parse_jwt
from ..protocol.security_event import (
    LOGOUT_TYPE,
    MAX_SET,
    SET_TYPE,
    STREAM_UPDATED,
    VERIFICATION,
    EventRefused,
    SecurityEvents,
    audiences_of,
    read_event,
    read_logout,
    require_type,
)
from ..signals import security_event_received
from .cutting import write_cut_off
from .models import ReceivedStream
from .replays import note_received, was_received

logger = logging.getLogger("django_introspection")

Delivery = ReceivedStream.Delivery
_TYPES = {Delivery.PUSH: SET_TYPE, Delivery.POLL: SET_TYPE, Delivery.LOGOUT: LOGOUT_TYPE}
_READERS = {SET_TYPE: read_event, LOGOUT_TYPE: read_logout}
_STATUSES = ("enabled", "paused", "disabled")
"""The values of `status` (SSF 1.0 §8.1.5)."""
_OUTAGES = (IntrospectionUnavailable, InterfaceError, OperationalError)
"""Errors of a receiver of the signal after which the event must come again."""


@conceal_locals
def receive(text: str, delivery: str, *, authorization: str | None = None) -> None:
    """Receive a security event token or a logout token; `authorization` is the header that came with it.

    A security event token that comes again has no effect and is no error, because its transmitter may have missed our
    acknowledgement (RFC 8935 §2). Raises EventRefused, and IntrospectionUnavailable or django.db.Error if the event has
    not had its effect and must be sent again.
    """
    jwt = _parse(text)
    stream = _stream_of(jwt, delivery)
    try:
        _authenticate(stream, delivery, authorization)
        events = _verified(jwt, stream, _TYPES[Delivery(delivery)])
        receive_verified(events, stream)
    except EventRefused as refusal:
        note_failure(stream, f"{refusal.err}: {refusal.description}")
        raise
    except IntrospectionUnavailable as problem:
        note_failure(stream, str(problem))
        raise


@conceal_locals
def receive_polled(text: str, stream: ReceivedStream, *, jti: str) -> None:
    """Receive a token that was polled from the transmitter of a stream under a `jti`; raises like `receive`."""
    events = _verified(_parse(text), stream, SET_TYPE)
    if events.jti != jti:
        raise EventRefused("invalid_request", "the jti is not the name under which the token was sent")
    receive_verified(events, stream)


def receive_verified(events: SecurityEvents, stream: ReceivedStream) -> None:
    """Let verified events have their effect.

    They are noted as received at the very end: after an outage they come again, and their signal is sent again.
    """
    media_type = _TYPES[Delivery(stream.delivery)]
    if was_received(media_type, events):
        if media_type == LOGOUT_TYPE:
            raise EventRefused("invalid_request", "the logout token was used before")
        return
    for target, moment in events.targets.items():
        write_cut_off(stream.issuer, Kind(target.claim), target.value, moment)
    _report(stream, events)
    _note_receipt(stream, events)
    note_received(media_type, events)


def note_failure(stream: ReceivedStream, problem: str) -> None:
    """Record a failure in the row of the stream, at most one in a second: strangers can cause them."""
    logger.warning("a security event of the stream %s is refused: %s", stream.pk, problem)
    now = int(time.time())
    own = _rows().filter(Q(last_failure_at=None) | Q(last_failure_at__lt=now), pk=stream.pk)
    own.update(failures=F("failures") + 1, last_failure_at=now, last_failure=problem[:255])


def _parse(text: str) -> UnverifiedJWT:
    try:
        return parse_jwt(text, longest=MAX_SET)
    except MalformedJWT as problem:
        raise EventRefused("invalid_request", f"it is not a signed token: {problem}") from None


def _stream_of(jwt: UnverifiedJWT, delivery: str) -> ReceivedStream:
    """Return the active stream that a token claims to be of; nothing is verified yet."""
    require_type(jwt, _TYPES[Delivery(delivery)])
    issuer = jwt.claims.get("iss")
    if not isinstance(issuer, str) or "\0" in issuer:
        raise EventRefused("invalid_issuer", "no stream has this issuer")
    streams = [
        each for each in _rows().filter(is_active=True, delivery=delivery, issuer=issuer) if each.issuer == issuer
    ]
    if not streams:
        raise EventRefused("invalid_issuer", "no stream has this issuer")
    audiences = audiences_of(jwt.claims)
    for stream in streams:
        if stream.audience in audiences:
            return stream
    raise EventRefused("invalid_audience", "no stream of this issuer has this audience")


def _authenticate(stream: ReceivedStream, delivery: str, authorization: str | None) -> None:
    """Compare the Authorization header with that of the stream, in constant time."""
    if stream.authorization is None or delivery != Delivery.PUSH:
        return
    secret = stream.secret()
    if not secret or not compare_digest(force_bytes(secret), force_bytes(authorization or "")):
        raise EventRefused("authentication_failed", "the Authorization header is not that of the stream")


def _verified(jwt: UnverifiedJWT, stream: ReceivedStream, media_type: str) -> SecurityEvents:
    """Return the events of a token that a key of the issuer signed; raises EventRefused."""
    if jwt.alg not in SIGNING_ALGORITHMS:
        raise EventRefused("invalid_key", "the algorithm is not accepted")
    if not is_signed_by(remote_key_sets.keys(stream.jwks_uri, kid=jwt.kid), jwt):
        raise EventRefused("invalid_key", "the signature is not by a key of the issuer")
    return _READERS[media_type](
        jwt,
        issuer=stream.issuer,
        audience=stream.audience,
        now=time.time(),
        leeway=introspection_settings.LEEWAY,
        ends_whole_user=stream.ends_whole_user,
    )


def _note_receipt(stream: ReceivedStream, events: SecurityEvents) -> None:
    now = int(time.time())
    changes = {"last_event_at": now, "last_delay": max(0, now - int(events.issued_at)), "count": F("count") + 1}
    if VERIFICATION in events.events:
        changes["last_verified_at"] = now
    if STREAM_UPDATED in events.events:
        status = events.events[STREAM_UPDATED].members.get("status")
        changes["status"] = status if status in _STATUSES else ""
    _rows().filter(pk=stream.pk).update(**changes)


def _report(stream: ReceivedStream, events: SecurityEvents) -> None:
    """Send the signal to every receiver; raises the outage that one of them met."""
    outcomes = [
        outcome
        for event_type, event in events.events.items()
        for _, outcome in security_event_received.send_robust(
            ReceivedStream,
            stream=stream,
            event_type=event_type,
            event=event.members,
            subject=events.subject,
            moment=event.moment,
            targets=event.targets,
        )
    ]
    for outcome in outcomes:
        if isinstance(outcome, _OUTAGES):
            raise outcome


def _rows() -> QuerySet[ReceivedStream]:
    return ReceivedStream.objects.using(router.db_for_write(ReceivedStream))
