"""Whether an active token is good *here*: kind, binding, time, issuer, audience."""

from __future__ import annotations

import math
import time

from django.views.decorators.debug import sensitive_variables

from ..backends.asking import ask_route
from ..backends.base import TokenBackend
from ..backends.registry import token_backends
from ..backends.steps import arun, run
from ..conf import introspection_settings
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.presented import Presented
from ..protocol.token_info import TokenInfo


@sensitive_variables("token")
def validate(token: str, alias: str) -> Answer:
    """Tell whether a bearer token is good at this resource server; raises IntrospectionUnavailable."""
    return run(ask_route(token_backends[alias].route(token), Presented(token), accept))


@sensitive_variables("token")
async def avalidate(token: str, alias: str) -> Answer:
    """Tell like `validate`, without blocking the event loop."""
    return await arun(ask_route(token_backends[alias].route(token), Presented(token), accept))


def accept(answer: Answer, backend: TokenBackend) -> Answer:
    """Return the answer where this resource server takes the token, else why it does not."""
    if not answer:
        return answer
    reason = refusal(answer.info, backend, now=time.time(), leeway=introspection_settings.LEEWAY)
    return Inactive(reason) if reason else answer


def refusal(info: TokenInfo, backend: TokenBackend, *, now: float, leeway: int) -> Reason | None:
    """Say why a token is not taken, None where it is; `now` and `leeway` in seconds (RFC 7662 §4)."""
    is_access_token = info.is_access_token
    if is_access_token is False or (is_access_token is None and backend.requires_token_type):
        return Reason.NOT_AN_ACCESS_TOKEN
    if info.confirmation is not None:
        return Reason.BOUND_TO_A_KEY
    if now - leeway >= info.get("exp", math.inf):
        return Reason.EXPIRED
    if now + leeway < info.get("nbf", 0):
        return Reason.NOT_YET_VALID
    if backend.issuer is not None and info.iss not in (None, backend.issuer):
        return Reason.WRONG_ISSUER
    if backend.audience and backend.audience.isdisjoint(info.audiences):
        return Reason.WRONG_AUDIENCE
    return None
