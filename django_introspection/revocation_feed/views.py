"""The endpoint of the feed: revocations after a cursor, for a caller that may introspect."""

from __future__ import annotations

import base64
import time
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import Error as DatabaseError
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from ..authorization_server.clients import authenticate_caller
from ..authorization_server.views.base import ProtocolView, json_response
from ..conf import introspection_settings
from ..models import Client, IntrospectionPolicy
from ..models.fields import now
from ..protocol.challenge import BASIC, BEARER
from ..protocol.errors import InvalidRequest, UnauthorizedClient
from ..protocol.form import FORM_TYPE, Form, parse_form
from . import cursors
from .news import news
from .purging import purge_if_due
from .reading import Page, page_for
from .recording import database
from .waiting import LONGEST_WAIT, PAUSE, room

_WISH = "_introspection_wish"


class Wish(NamedTuple):
    """The caller of a request without news, and until when it would wait for some."""

    view: RevocationsView
    caller: Client
    cursor: str
    until: float


class RevocationsView(ProtocolView):
    """Answer what ended after a cursor, to a caller that is authenticated as at the introspection endpoint."""

    challenges = (BASIC, BEARER)

    def get(self, request: HttpRequest) -> HttpResponse:
        """Take the parameters from the query; credentials belong into the header."""
        form = parse_form(FORM_TYPE, request.META.get("QUERY_STRING", "").encode("latin-1"))
        for name in ("client_secret", "client_assertion", "access_token"):
            if form.get(name):
                raise InvalidRequest("Credentials must not be in the URL.")
        return self._answer(request, form)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Take the parameters and any credentials from the form."""
        return self._answer(request, self.form())

    def _answer(self, request: HttpRequest, form: Form) -> HttpResponse:
        caller = authenticate_caller(request, form)
        if caller.introspection_policy == IntrospectionPolicy.NONE:
            raise UnauthorizedClient("This client may not introspect tokens.", status=403)
        wait = _seconds(form.get("wait"))
        page = page_for(caller, form.get("after"))
        purge_if_due(request)
        if wait and not page.has_news:
            vars(request)[_WISH] = Wish(self, caller, page.cursor, time.monotonic() + wait)
        return _response(page, caller, pause=PAUSE if wait else 0)


def _seconds(value: str | None) -> int:
    """Return the seconds to wait; raises InvalidRequest."""
    if value is None:
        return 0
    if not value.isascii() or not value.isdecimal() or len(value) > 4:
        raise InvalidRequest("The parameter wait must be a whole number of seconds.")
    return min(int(value), LONGEST_WAIT)


def _response(page: Page, caller: Client, *, pause: int) -> HttpResponse:
    at = now()
    members: dict[str, Any] = {
        "cursor": page.cursor,
        "restart": page.is_new_start,
        "more": page.has_more,
        "now": int(at.timestamp()),
        "pause": 0 if page.has_more or page.changes else pause,
        "issuer": introspection_settings.ISSUER,
        "policy": caller.introspection_policy,
        "resources": list(caller.resources),
        "changes": [
            [_text(identity)] if is_return else [_text(identity), int(expires_at.timestamp())]
            for identity, expires_at, is_return in page.changes
        ],
    }
    members["age"] = page.age(at)
    return json_response({name: value for name, value in members.items() if value is not None})


def _text(identity: bytes) -> str:
    return base64.urlsafe_b64encode(identity).rstrip(b"=").decode()


_view = RevocationsView.as_view()


@csrf_exempt
async def revocations(request: HttpRequest) -> HttpResponse:
    """Answer at once if there is news, or if no more requests may wait here; otherwise when there is some.

    It waits on the event loop, which under WSGI is that of this request alone.
    """
    response: HttpResponse = await sync_to_async(_view)(request)
    wish: Wish | None = vars(request).pop(_WISH, None)
    if wish is None:
        return response
    with room.place(request) as has_place:
        return await _after_wait(request, wish) if has_place else response


async def _after_wait(request: HttpRequest, wish: Wish) -> HttpResponse:
    """Wait without a connection to the database, and read once more at the end."""
    while True:
        if isinstance(request, ASGIRequest):  # a thread of its own, whose connection would be held meanwhile
            await sync_to_async(connections.close_all)()
        position = cursors.position_of(wish.cursor, wish.caller)
        has_news = await news.wait(position, max(wish.until - time.monotonic(), 0), database())
        page = await sync_to_async(_read)(wish)
        if isinstance(page, HttpResponse):
            return page
        if page.has_news or not has_news:
            return _response(page, wish.caller, pause=0)
        wish = wish._replace(cursor=page.cursor)


def _read(wish: Wish) -> Page | HttpResponse:
    try:
        return page_for(wish.caller, wish.cursor)
    except DatabaseError as error:
        answer: HttpResponse = wish.view.handle_exception(error)
        return answer


vars(revocations).update(cls=RevocationsView, initkwargs={})  # as `as_view()` does, for descriptions of the API
vars(revocations)["login_required"] = False  # how LoginRequiredMiddleware is told
for _alias in connections:
    revocations = transaction.non_atomic_requests(using=_alias)(revocations)
