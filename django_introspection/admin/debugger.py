"""The token debugger: why is this token taken or refused, by whom, and what is to be done?

A value that is pasted here is in the request alone: not in the answer, the history, the log or any store.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import formats
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from ..authorization_server import policy
from ..backends.database import answer_for_token, find
from ..backends.registry import token_backends
from ..exceptions import InvalidBackend
from ..models import Client, IntrospectionPolicy, Token
from ..protocol.answer import Answer, Reason
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.jwt import MAX_JWT
from ..protocol.token_info import TokenInfo
from ..resource_server.acceptance import accept
from ..signals import token_debugged
from .debugger_advice import (
    CANNOT_AUTHENTICATE,
    MAY_NOT_ASK,
    MEMBERS_FAILED,
    UNAVAILABLE,
    Advice,
    advice,
    malformed_advice,
)
from .pages import VIEW, page, permission_page
from .token_revoking import how_revoked

MAX_BODY = 256 * 1024
"""Bytes of a form that are read; a token of the longest kind has 16 KiB, thrice that when it is encoded."""
MAX_DRAINED = 64 * 1024 * 1024
_QUOTES = r"\s\"'`\u201c\u201d\u2018\u2019,;"
_AROUND = re.compile(rf"^[{_QUOTES}<]+|[{_QUOTES}>]+$")
_SCHEME = re.compile(r"(?:authorization\s*:\s*)?(?:(?:bearer|dpop)(?:\s+|$))?", re.IGNORECASE)


class ForgetfulTextarea(forms.Textarea):
    """Take a text and never show it again."""

    def format_value(self, value: Any) -> str | None:
        """Return nothing to fill in."""
        return None


class DebuggerForm(forms.Form):
    """A token, who is asked about it, and who would ask."""

    token = forms.CharField(
        label=_("Token"),
        strip=False,
        help_text=_("As it was sent: spaces, line breaks, quotes and “Bearer” around it do no harm. It is not stored."),
        widget=ForgetfulTextarea(
            attrs={"rows": 4, "class": "vLargeTextField", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    backend = forms.ChoiceField(
        label=_("Backend"),
        help_text=_("The resource server's view: an alias of the setting BACKENDS. A remote server is sent the token."),
    )
    caller = forms.CharField(
        label=_("Caller"),
        required=False,
        max_length=255,
        help_text=_("Client ID of who asks our introspection endpoint. Empty: only the backend is asked."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["backend"].choices = [(alias, alias) for alias in token_backends]  # type: ignore[attr-defined]

    @sensitive_variables()
    def clean_token(self) -> str:
        """Return the token in what was pasted."""
        token = token_in(self.cleaned_data["token"])
        if not token:
            raise ValidationError(_("There is no token in this text."))
        if len(token) > MAX_JWT:
            raise ValidationError(too_much(len(token)))
        return token

    def clean_caller(self) -> Client | None:
        """Find the caller."""
        client_id = self.cleaned_data["caller"]
        if not client_id:
            return None
        client = Client.objects.filter(client_id=client_id).first()
        if client is None:
            raise ValidationError(_("There is no client with this ID."))
        return client


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one side says: taken or not, why, what to do, and the members."""

    taken: bool
    advice: Advice | None = None
    reason: str = ""
    members: list[tuple[str, str]] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """Say it in a word, for the log."""
        return "active" if self.taken else self.reason


@sensitive_variables()
def token_in(text: str) -> str:
    """Return the token in a text that was copied from a header, a file or a terminal."""
    text = _AROUND.sub("", text)
    text = _AROUND.sub("", _SCHEME.sub("", text, count=1))
    return "".join(text.split())


def readable(info: TokenInfo) -> list[tuple[str, str]]:
    """Return the members as JSON has them, strings without quotes and moments with their date."""
    members = info.to_dict()
    text = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in members.items()
    }
    for name in ("exp", "iat", "nbf"):
        if name in members:
            moment = datetime.fromtimestamp(members[name], UTC)
            text[name] += f" ({formats.date_format(moment, 'DATETIME_FORMAT')} UTC)"
    return list(text.items())


def too_much(length: int | str) -> str:
    """Say that something is too long to be a token."""
    text = _("This has %(length)s characters; the longest token has %(most)d. Paste the token alone.")
    return str(text) % {"length": length, "most": MAX_JWT}


@csrf_exempt
def debugger_view(model_admin: ModelAdmin[Token], request: HttpRequest) -> HttpResponse:
    """Ask for a token and say what it means; a body that is too large is refused before Django would read it."""
    if refused := permission_page(model_admin, request, VIEW):
        return refused
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > MAX_BODY:
        _drain(request)
        form = DebuggerForm(initial=_initial())
        return _form_page(model_admin, request, form, status=413, problem=too_much(length))

    def protected(inner: HttpRequest) -> HttpResponse:
        return _debug(model_admin, inner)

    answer: HttpResponse = csrf_protect(sensitive_post_parameters()(protected))(request)
    return answer


def _debug(model_admin: ModelAdmin[Token], request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _form_page(model_admin, request, DebuggerForm(initial=_initial()))
    form = DebuggerForm(request.POST)
    if not form.is_valid():
        return _form_page(model_admin, request, form)
    return _form_page(model_admin, request, form, **_judge(request, form.cleaned_data))


@sensitive_variables()
def _judge(request: HttpRequest, chosen: dict[str, Any]) -> dict[str, Any]:
    """Return what both sides say of a token, and its row where there is one."""
    value, alias, caller = chosen["token"], chosen["backend"], chosen["caller"]
    here, source = _resource_server_verdict(value, alias)
    told = _endpoint_verdict(value, caller) if caller else None
    row = find(value)
    outcome = here.outcome + (f"; told {told.outcome}" if told else "")
    token_debugged.send_robust(
        Token, operator=request.user, token=row.pk if row else None, alias=alias, caller=caller, outcome=outcome
    )
    return {
        "here": here,
        "told": told,
        "members": source,
        "token": row,
        "how_revoked": how_revoked(row) if row else None,
        "alias": alias,
        "caller": caller,
    }


@sensitive_variables("value")
def _resource_server_verdict(value: str, alias: str) -> tuple[Verdict, list[tuple[str, str]]]:
    """Return what a protected view makes of a token, and the members that the source has."""
    try:
        backend = token_backends[alias]
        answer = backend.introspect(value)
    except (IntrospectionUnavailable, InvalidBackend) as failure:  # neither has a value in its text
        why = f"{UNAVAILABLE.why} ({failure})" if str(failure) else UNAVAILABLE.why
        return Verdict(False, Advice(why, UNAVAILABLE.do), "unavailable"), []
    members = readable(answer.info) if answer else []
    return _verdict(value, accept(answer, backend)), members


@sensitive_variables("value")
def _endpoint_verdict(value: str, caller: Client) -> Verdict:
    """Return what our introspection endpoint tells a caller, by the same steps."""
    if not caller.is_active:
        return Verdict(False, CANNOT_AUTHENTICATE, "caller disabled")
    if caller.introspection_policy == IntrospectionPolicy.NONE:
        return Verdict(False, MAY_NOT_ASK, "caller may not introspect")
    try:
        answer = policy.filter_members(policy.visible_answer(answer_for_token(value), caller), caller)
    except IntrospectionUnavailable:
        return Verdict(False, MEMBERS_FAILED, "unavailable")
    return _verdict(value, answer)


@sensitive_variables("value")
def _verdict(value: str, answer: Answer) -> Verdict:
    if answer:
        return Verdict(True, members=readable(answer.info))
    given = malformed_advice(value) if answer.reason == Reason.MALFORMED else advice(answer.reason)
    return Verdict(False, given, str(answer.reason))


def _form_page(
    model_admin: ModelAdmin[Token], request: HttpRequest, form: DebuggerForm, *, status: int = 200, **verdicts: Any
) -> HttpResponse:
    context = {"title": _("Token debugger"), "form": form, **verdicts}
    return page(model_admin, request, "debugger", context, status=status)


def _initial() -> dict[str, Any]:
    return {"backend": next(iter(token_backends), "")}


def _drain(request: HttpRequest) -> None:
    """Read what is sent, within bounds: a browser that is cut off while it sends shows no answer."""
    left = MAX_DRAINED
    while left > 0 and (chunk := request.read(64 * 1024)):
        left -= len(chunk)
