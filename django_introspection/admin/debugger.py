"""The token debugger: why is this token accepted or rejected, by which side, and what is to be done?

A value that is pasted here is in the request alone: not in the answer, the history, the log or any store.
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from ..backends.database import find
from ..backends.registry import token_backends
from ..models import Token
from ..signals import token_debugged
from .debugger_form import DebuggerForm, too_much
from .debugger_verdicts import endpoint_verdict, resource_server_verdict
from .pages import form_page, own_page
from .revoking import how_revoked

MAX_BODY = 256 * 1024
"""Bytes of a form that are read; a token of the longest kind has 16 KiB, thrice that when it is encoded."""
MAX_DRAINED = 64 * 1024 * 1024


@csrf_exempt
@own_page("view_token")
def debugger_view(model_admin: ModelAdmin[Token], request: HttpRequest) -> HttpResponse:
    """Ask for a token and show what it means; a body that is too large is refused before Django would read it."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > MAX_BODY:
        _drain(request)
        form = DebuggerForm(initial=_initial(request))
        return _form_page(model_admin, request, form, status=413, problem=too_much(length))

    def protected(inner: HttpRequest) -> HttpResponse:
        return _debug(model_admin, inner)

    answer: HttpResponse = csrf_protect(protected)(request)
    return answer


def _debug(model_admin: ModelAdmin[Token], request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _form_page(model_admin, request, DebuggerForm(initial=_initial(request)))
    form = DebuggerForm(request.POST)
    if not form.is_valid():
        return _form_page(model_admin, request, form)
    return _form_page(model_admin, request, form, **_judge(request, form.cleaned_data))


def _judge(request: HttpRequest, chosen: dict[str, Any]) -> dict[str, Any]:
    """Return the verdicts of both sides, and the row of the token if it is one of ours."""
    value, alias, caller = chosen["token"], chosen["backend"], chosen["caller"]
    here = resource_server_verdict(value, alias, chosen["scope"])
    endpoint = endpoint_verdict(value, caller) if caller else None
    row = find(value)
    token_debugged.send_robust(
        Token,
        operator=request.user,
        token=row.pk if row else None,
        alias=alias,
        caller=caller.client_id if caller else None,
        outcome=here.outcome + (f"; endpoint: {endpoint.outcome}" if endpoint else ""),
    )
    return {
        "here": here,
        "endpoint": endpoint,
        "token": row,
        "how_revoked": how_revoked(row) if row else None,
        "alias": alias,
        "caller": caller.client_id if caller else "",
    }


def _form_page(
    model_admin: ModelAdmin[Token], request: HttpRequest, form: DebuggerForm, *, status: int = 200, **verdicts: Any
) -> HttpResponse:
    context = {"title": _("Token debugger"), **verdicts}
    return form_page(model_admin, request, "token/debugger", form, context, status=status)


def _initial(request: HttpRequest) -> dict[str, Any]:
    """Return the first backend, and the caller that a link names."""
    return {"backend": next(iter(token_backends), ""), "caller": request.GET.get("caller", "")}


def _drain(request: HttpRequest) -> None:
    """Read what is sent, within bounds: a browser that is cut off while it sends shows no answer."""
    left = MAX_DRAINED
    while left > 0 and (chunk := request.read(64 * 1024)):
        left -= len(chunk)
