"""Whether an active token is good *here*: kind, binding, time, issuer, audience."""

from __future__ import annotations

import math
import time
from functools import partial

from django.views.decorators.debug import sensitive_variables

from ..backends.base import TokenBackend
from ..backends.registry import token_backends
from ..backends.route import ask_route
from ..conf import introspection_settings
from ..outbound.steps import arun, run
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.presented import Presented
from ..protocol.token_info import TokenInfo

_OTHER_KEYS = frozenset({"jwk", "jwe", "kid", "jku", "x5t#S256"})
"""Members of `cnf` that name a key in a way that is not checked here (RFC 7800 §3.1, RFC 8705 §3.1)."""


@sensitive_variables("token")
def validate(token: str, alias: str, *, jkt: str | None = None) -> Answer:
    """Tell whether a token is good at this resource server; raises IntrospectionUnavailable.

    `jkt` is the thumbprint of the key that its sender proved to hold, None for a bearer token.
    """
    return run(ask_route(token_backends[alias].route(token), Presented(token), partial(accept, jkt=jkt)))


@sensitive_variables("token")
async def avalidate(token: str, alias: str, *, jkt: str | None = None) -> Answer:
    """Tell like `validate`, without blocking the event loop."""
    return await arun(ask_route(token_backends[alias].route(token), Presented(token), partial(accept, jkt=jkt)))


def accept(answer: Answer, backend: TokenBackend, *, jkt: str | None = None) -> Answer:
    """Return the answer where this resource server takes the token, else why it does not."""
    if not answer:
        return answer
    reason = rejection_reason(answer.info, backend, now=time.time(), leeway=introspection_settings.LEEWAY, jkt=jkt)
    return Inactive(reason) if reason else answer


def rejection_reason(
    info: TokenInfo, backend: TokenBackend, *, now: float, leeway: int, jkt: str | None = None
) -> Reason | None:
    """Say why a token is not taken, None where it is; `now` and `leeway` in seconds (RFC 7662 §4)."""
    is_access_token = info.is_access_token
    if is_access_token is False or (is_access_token is None and backend.is_token_type_required):
        return Reason.NOT_AN_ACCESS_TOKEN
    if reason := _binding_refusal(info, jkt):
        return reason
    if now - leeway >= info.get("exp", math.inf):
        return Reason.EXPIRED
    if now + leeway < info.get("nbf", 0):
        return Reason.NOT_YET_VALID
    if backend.issuer is not None and info.iss not in (None, backend.issuer):
        return Reason.WRONG_ISSUER
    if backend.audience and backend.audience.isdisjoint(info.audiences):
        return Reason.WRONG_AUDIENCE
    return None


def _binding_refusal(info: TokenInfo, jkt: str | None) -> Reason | None:
    """Say why a token is not its sender's to use, None where it is (RFC 9449 §7.1, §7.2).

    A bearer token has no `cnf` at all. Members that nobody knows are ignored where a key was proven (RFC 7800 §3.1).
    """
    confirmation = info.confirmation
    if jkt is None:
        is_bound = confirmation is not None or (info.token_type or "").lower() == "dpop"
        return Reason.BOUND_TO_A_KEY if is_bound else None
    if confirmation is None or "jkt" not in confirmation:
        return Reason.NOT_BOUND_TO_A_KEY
    if confirmation["jkt"] != jkt or not _OTHER_KEYS.isdisjoint(confirmation):
        return Reason.ANOTHER_KEY
    return None
