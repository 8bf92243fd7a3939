"""Which tokens a caller may be told about. A token that it may not see is inactive (RFC 7662 §2.2, §4)."""

from __future__ import annotations

from ..models import Client, IntrospectionPolicy
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.token_info import TokenInfo


def for_caller(answer: Answer, caller: Client) -> Answer:
    """Return the answer as this caller gets it."""
    if answer and not may_see(answer.info, caller):
        return Inactive(Reason.CALLER_POLICY)
    return answer


def may_see(info: TokenInfo, caller: Client) -> bool:
    """Tell whether a client may be told about a token; only what it serves counts, not what it may ask for.

    A refresh token, or one that does not say what it is, is described only to the client that holds it.
    """
    policy = caller.introspection_policy
    if policy == IntrospectionPolicy.NONE:
        return False
    if info.client_id == caller.client_id:
        return True
    if not info.is_access_token:
        return False
    if policy == IntrospectionPolicy.AUDIENCE:
        return not set(caller.resources).isdisjoint(info.audiences)
    return policy == IntrospectionPolicy.ANY
