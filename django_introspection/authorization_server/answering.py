"""The answer of the introspection endpoint: its source, the policy of the caller, the members (RFC 7662 §2.2).

The endpoint, the token debugger and the command `introspection_token inspect` call `answer_for_caller`.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from ..backends.base import TokenBackend
from ..backends.database import LookedUp, answer_for_token
from ..backends.registry import token_backends
from ..backends.route import ask_route
from ..conf import introspection_settings
from ..models import Client, IntrospectionPolicy
from ..protocol.answer import Answer
from ..protocol.errors import UnauthorizedClient
from ..protocol.explanation import explain
from ..protocol.validity import invalid_reason
from .policy import filter_members, visible_answer


class CallerAnswer(NamedTuple):
    """The answer to one caller: with every member for signals and logs, and with the members that are sent."""

    full: Answer
    sent: Answer


def answer_for_caller(token: str, caller: Client, looked_up: LookedUp | None = None) -> CallerAnswer:
    """Return the answer of the endpoint about a token to an authenticated caller.

    `looked_up` is what the statement that authenticated the caller has found of the token. Raises UnauthorizedClient if
    the caller may not introspect, and IntrospectionUnavailable.
    """
    if caller.introspection_policy == IntrospectionPolicy.NONE:
        raise UnauthorizedClient("This client may not introspect tokens.", status=403)
    full = visible_answer(_answer_of_source(token, looked_up), caller)
    return CallerAnswer(full, filter_members(full, caller))


def _answer_of_source(token: str, looked_up: LookedUp | None) -> Answer:
    alias = introspection_settings.INTROSPECTION_BACKEND
    if alias is None:
        return answer_for_token(token, looked_up)
    return ask_route(token_backends[alias], token, _valid_now).answer


def _valid_now(answer: Answer, backend: TokenBackend) -> Answer:
    """Return the answer of a backend if the token is valid now; kind, binding and audience are for the policy."""
    if not answer:
        return answer
    info, issuer, now, leeway = answer.info, backend.issuer, time.time(), introspection_settings.LEEWAY
    reason = invalid_reason(info, issuer=issuer, now=now, leeway=leeway)
    return explain(reason, info, issuer=issuer, now=now, leeway=leeway) if reason else answer
