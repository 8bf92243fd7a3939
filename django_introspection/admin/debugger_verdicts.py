"""The verdicts that the token debugger shows: that of the resource server and that of the introspection endpoint.

The functions that a view and the endpoint call make the decisions; this module only puts them into words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils.html import format_html

from ..authorization_server.answering import answer_for_caller
from ..authorization_server.client_sources import Rejection
from ..backends.database import DatabaseBackend
from ..backends.inspecting import inspecting
from ..backends.registry import token_backends
from ..exceptions import InvalidSetting
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.errors import IntrospectionUnavailable, UnauthorizedClient
from ..protocol.token_info import TokenInfo
from ..resource_server.acceptance import Trace
from ..resource_server.inspection import inspect_token
from .debugger_advice import (
    NO_POLICY,
    NOT_ROUTED,
    Advice,
    advice,
    malformed_advice,
    not_authenticated,
    unavailable,
    unavailable_at_endpoint,
)
from .debugger_form import Caller
from .debugger_reasons import MAY_NOT_INTROSPECT, UNAVAILABLE
from .display import moment_text


@dataclass(frozen=True, slots=True)
class SideVerdict:
    """The verdict of one side on a token, with its reason, the advice, the steps to it and the members.

    The reason is English, for the log; `expected` and `found` are, too, as in the log of a refusal.
    """

    accepted: bool
    advice: Advice | None = None
    reason: str = ""
    expected: str = ""
    found: str = ""
    steps: Trace = field(default_factory=list)
    members: list[tuple[str, str]] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """The verdict in a word, for the log."""
        return "active" if self.accepted else self.reason


def resource_server_verdict(value: str, alias: str, scopes: Iterable[str]) -> SideVerdict:
    """Return the verdict of a view that asks this backend, with the members that the backend returned."""
    trace: Trace = []
    try:
        found = inspect_token(value, alias, scopes=scopes, trace=trace)
    except (IntrospectionUnavailable, InvalidSetting) as failure:  # neither has a value in its text
        return SideVerdict(False, unavailable(failure), UNAVAILABLE, steps=trace, members=_source_members(trace))
    members = _source_members(trace)
    if not isinstance(found, Inactive):
        return SideVerdict(True, steps=trace, members=members)
    return _rejected(found, _resource_server_advice(value, found, trace), steps=trace, members=members)


def endpoint_verdict(value: str, caller: Caller) -> SideVerdict:
    """Return the verdict of our introspection endpoint for a caller, with the members that it sends."""
    if isinstance(caller.result, Rejection):
        return SideVerdict(False, not_authenticated(caller.result), str(caller.result.reason))
    try:
        with inspecting():
            answer = answer_for_caller(value, caller.result).sent
    except UnauthorizedClient:
        return SideVerdict(False, NO_POLICY, MAY_NOT_INTROSPECT)
    except (IntrospectionUnavailable, InvalidSetting) as failure:
        return SideVerdict(False, unavailable_at_endpoint(failure), UNAVAILABLE)
    if answer:
        return SideVerdict(True, members=readable(answer.info))
    return _rejected(answer, _advice(value, answer))


def readable(info: TokenInfo) -> list[tuple[str, str]]:
    """Return the members as JSON has them, strings without quotes and moments with their date."""
    members = info.to_dict()
    text = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in members.items()
    }
    for name in ("exp", "iat", "nbf"):
        if name in members:
            moment = moment_text(datetime.fromtimestamp(members[name], UTC))
            text[name] = format_html("{} <bdi>({})</bdi>", text[name], moment)
    return list(text.items())


def _rejected(answer: Inactive, given: Advice, **further: Any) -> SideVerdict:
    return SideVerdict(False, given, str(answer.reason), answer.expected, answer.found, **further)


def _source_members(trace: Trace) -> list[tuple[str, str]]:
    """Return the members of the last active answer of a backend."""
    answers: list[Answer] = [verdict.answer for verdict in trace if verdict.answer]
    return readable(answers[-1].info) if answers and answers[-1] else []


def _resource_server_advice(value: str, answer: Inactive, trace: Trace) -> Advice:
    if not trace:  # no backend was asked
        return NOT_ROUTED
    alias = trace[-1].alias
    is_own = alias in tuple(token_backends) and isinstance(token_backends[str(alias)], DatabaseBackend)
    return _advice(value, answer) if is_own else advice(answer.reason)


def _advice(value: str, answer: Inactive) -> Advice:
    """Return the advice about a token of our own tables, whose form says more."""
    return malformed_advice(value) if answer.reason == Reason.MALFORMED else advice(answer.reason)
