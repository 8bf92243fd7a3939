"""The endpoint at which receivers poll for our events (RFC 8936)."""

from __future__ import annotations

import json
from hmac import compare_digest
from typing import Any
from uuid import UUID

from django.db import router
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import force_bytes

from ..protocol.security_event import EventRefused
from ..protocol.strict_json import parse_json_object
from .delivering import note_done, note_failure, signed, waiting
from .models import SentStream
from .views import NOT_STORED, endpoint, read_body

MOST = 20
"""Events of one answer."""
MOST_ANSWERED = 1000
"""Events that one request acknowledges or refuses."""


@endpoint
def poll(request: HttpRequest, identifier: UUID) -> HttpResponse:
    """Note what the receiver acknowledges, and answer with the next events; it never waits for one."""
    streams = SentStream.objects.using(router.db_for_write(SentStream))
    stream = streams.filter(identifier=identifier, is_active=True, delivery=SentStream.Delivery.POLL).first()
    if stream is None or not _is_authorized(stream, request.headers.get("Authorization", "")):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer", **NOT_STORED})
    try:
        wanted = _Wanted(parse_json_object(read_body(request)))
    except (EventRefused, ValueError):
        return HttpResponse(status=400, headers=NOT_STORED)
    for err in wanted.errors:
        note_failure(stream, f"the receiver answers {err}")
    note_done(stream, wanted.answered)
    found = list(waiting(stream)[: wanted.most + 1])
    sets = {str(event.jti): signed(event, stream) for event in found[: wanted.most]}
    body = {"sets": sets, "moreAvailable": len(found) > wanted.most}
    return HttpResponse(json.dumps(body), content_type="application/json", headers=NOT_STORED)


class _Wanted:
    """The members of a poll request; raises ValueError for those of a wrong type (RFC 8936 §2.2)."""

    def __init__(self, members: dict[str, Any]) -> None:
        ack, errors = members.get("ack", []), members.get("setErrs", {})
        most = members.get("maxEvents", MOST)
        if not isinstance(ack, list) or not isinstance(errors, dict) or type(most) is not int or most < 0:
            raise ValueError("a member has the wrong type")
        names = [*ack, *errors]
        if len(names) > MOST_ANSWERED or not all(isinstance(name, str) for name in names):
            raise ValueError("it names no events, or too many")
        self.most = min(most, MOST)
        self.answered = [jti for name in names if (jti := _uuid(name)) is not None]
        self.errors = [_code(error) for name, error in errors.items() if _uuid(name) is not None]


def _code(error: Any) -> str:
    err = error.get("err") if isinstance(error, dict) else None
    return err if isinstance(err, str) and err.isascii() and err.isidentifier() and len(err) < 64 else "an error"


def _uuid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None


def _is_authorized(stream: SentStream, header: str) -> bool:
    """Compare the Authorization header with that of the stream, in constant time; raises IntrospectionUnavailable."""
    secret = stream.secret()
    return bool(secret) and compare_digest(force_bytes(secret), force_bytes(header))
