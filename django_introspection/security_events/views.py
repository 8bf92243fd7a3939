"""The endpoints that receive events: security event tokens by push, and logout tokens."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import Error as DatabaseError
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, UnreadablePostError

from ..exceptions import InvalidSetting
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import IntrospectionUnavailable, InvalidRequest
from ..protocol.form import parse_form
from ..protocol.security_event import MAX_SET, SET_TYPE, EventRefused
from .models import ReceivedStream
from .receiving import receive

logger = logging.getLogger("django_introspection")

RETRY_AFTER = 5
"""Seconds after which a transmitter may try again when we could not receive."""
NOT_STORED = {"Cache-Control": "no-store"}
View = Callable[..., HttpResponse]


def endpoint(view: View) -> View:
    """Make a view for other programs: POST alone, no cookies, no CSRF check, no transaction around it.

    An outage is 503, so that the transmitter sends the event again.
    """

    @wraps(view)
    @conceal_locals
    def serve(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST", **NOT_STORED})
        try:
            return view(request, *args, **kwargs)
        except (DatabaseError, IntrospectionUnavailable, InvalidSetting) as problem:
            logger.error("%s cannot answer: %s", view.__name__, type(problem).__name__)
            return HttpResponse(status=503, headers={"Retry-After": str(RETRY_AFTER), **NOT_STORED})

    for alias in connections:
        serve = transaction.non_atomic_requests(using=alias)(serve)
    vars(serve).update(csrf_exempt=True, login_required=False)
    return serve


@endpoint
def push(request: HttpRequest) -> HttpResponse:
    """Receive one security event token (RFC 8935 §2)."""
    try:
        if request.content_type != f"application/{SET_TYPE}":
            raise EventRefused("invalid_request", f"the content type must be application/{SET_TYPE}")
        receive(_body(request), ReceivedStream.Delivery.PUSH, authorization=request.headers.get("Authorization"))
    except EventRefused as refusal:
        return error_response(refusal, {"err": refusal.err, "description": refusal.description})
    return HttpResponse(status=202, headers=NOT_STORED)


@endpoint
def logout(request: HttpRequest) -> HttpResponse:
    """Receive one logout token (OpenID Connect Back-Channel Logout 1.0 §2.5)."""
    try:
        receive(_logout_token(request), ReceivedStream.Delivery.LOGOUT)
    except EventRefused as refusal:
        members = {"error": "invalid_request", "error_description": refusal.description}
        return error_response(refusal, members)
    return HttpResponse(status=200, headers=NOT_STORED)


def error_response(refusal: EventRefused, members: dict[str, str]) -> HttpResponse:
    """Return the 400 of RFC 8935 §2.3, or of OpenID Connect Back-Channel Logout 1.0 §2.8."""
    headers = {"Content-Language": "en", **NOT_STORED}
    return HttpResponse(json.dumps(members), status=400, content_type="application/json", headers=headers)


def _logout_token(request: HttpRequest) -> str:
    try:
        form = parse_form(request.META.get("CONTENT_TYPE", ""), _body(request).encode(), repeatable=())
    except InvalidRequest as problem:
        raise EventRefused("invalid_request", problem.description) from None
    token = form.get("logout_token")
    if not token:
        raise EventRefused("invalid_request", "logout_token is missing")
    return str(token)


def read_body(request: HttpRequest) -> bytes:
    """Read the body of a request, which has a limit that no header can lift; raises EventRefused."""
    try:
        body = request.read(MAX_SET + 1)
    except (OSError, UnreadablePostError):
        raise EventRefused("invalid_request", "the body cannot be read") from None
    if len(body) > MAX_SET:
        raise EventRefused("invalid_request", "the body is too large")
    return body


def _body(request: HttpRequest) -> str:
    try:
        return read_body(request).decode("ascii")
    except UnicodeDecodeError:
        raise EventRefused("invalid_request", "the body is not a token") from None
