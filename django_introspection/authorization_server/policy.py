"""The introspection policy: the tokens that a caller may see, and their members (RFC 7662 §2.2, §4, §5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..conf import introspection_settings
from ..hooks import call_hook
from ..models import Client, GrantType, IntrospectionPolicy
from ..protocol.answer import Active, Answer, Inactive, Reason
from ..protocol.authorization_details import MEMBER, located_at, with_details
from ..protocol.dialects import scope_tokens
from ..protocol.explanation import quoted
from ..protocol.identifiers import names_any_of
from ..protocol.introspection import wrong_member
from ..protocol.networks import MEMBER as NETWORKS
from ..protocol.scope import format_scope
from ..protocol.token_info import TokenInfo
from ..setting_values import NAME
from .issuing import COMPUTED_MEMBERS

LIMITS = ("cnf", NETWORKS)
"""Members that limit who may send a token: without them a resource server would take it from anyone (RFC 7800 §3)."""


def visible_answer(answer: Answer, caller: Client) -> Answer:
    """Return the answer as it is for this caller: a token that it may not see is inactive."""
    if answer and not may_see(answer.info, caller):
        return _hidden(answer.info, caller)
    return answer


def _hidden(info: TokenInfo, caller: Client) -> Inactive:
    """Return the rejection of a token that the policy does not show, with the condition that it does not meet."""
    if caller.introspection_policy == IntrospectionPolicy.AUDIENCE and info.is_access_token:
        expected, found = quoted(caller.resources), quoted(info.audiences)
        return Inactive(Reason.CALLER_POLICY, f"aud {expected}", f"aud {found}")
    expected, found = quoted([caller.client_id]), quoted([info.client_id])
    return Inactive(Reason.CALLER_POLICY, f"client_id {expected}", f"client_id {found}")


def may_see(info: TokenInfo, caller: Client) -> bool:
    """Return whether a client may see a token; only the resources that it serves count, not those it may ask for.

    A refresh token, or one that does not say what it is, is described only to the client that holds it.
    """
    policy = caller.introspection_policy
    if policy == IntrospectionPolicy.NONE:
        return False
    if _is_own(info, caller):
        return True
    if not info.is_access_token:
        return False
    if policy == IntrospectionPolicy.AUDIENCE:
        return names_any_of(caller.resources, info.audiences)
    return policy == IntrospectionPolicy.ANY


def filter_members(answer: Answer, caller: Client) -> Answer:
    """Return the answer with the members that this caller may see, those of MEMBERS included.

    Raises IntrospectionUnavailable if MEMBERS fails: half an answer could open what a whole one would not.
    """
    if not answer:
        return answer
    known = dict(answer.info.items())
    members = _with_plain_scope(known | further if (further := _further(answer, caller)) else known)
    if not _is_own(answer.info, caller):
        members = _filtered(members, caller)
    elif caller.visible_members and GrantType.TOKEN_EXCHANGE in caller.grant_types:
        members = visible(members, caller)  # its own may be the copy of a token of which it may see no more
    return answer if members is known else Active(TokenInfo(members), answer.user)


def _is_own(info: TokenInfo, caller: Client) -> bool:
    """Return whether a token was issued to this client; a client of the same name at another issuer is another one."""
    issuer = introspection_settings.ISSUER
    return info.client_id == caller.client_id and (issuer is None or info.iss in (None, issuer))


def _with_plain_scope(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members with one string as the scope (RFC 7662 §2.2), however another server has written it."""
    if isinstance(members.get("scope", ""), str) and "scp" not in members:
        return members
    plain = {name: value for name, value in members.items() if name != "scp"}
    return {**plain, "scope": format_scope(scope_tokens(members))}


def _filtered(members: dict[str, Any], caller: Client) -> dict[str, Any]:
    """Leave out the scopes, authorization details and members that mean nothing to the caller (RFC 9396 §9.2)."""
    served = caller.resource_scopes.split()
    if caller.filter_scope and served:
        members = {**members, "scope": format_scope(token for token in scope_tokens(members) if token in served)}
    if MEMBER in members and caller.resources:
        members = with_details(members, located_at(members[MEMBER], caller.resources))
    if not caller.visible_members and "" not in members.values():
        return members
    return {name: value for name, value in visible(members, caller).items() if value != ""}


def visible(members: dict[str, Any], caller: Client) -> dict[str, Any]:
    """Leave out the members that the caller must not see, never those that limit who may send the token."""
    visible = caller.visible_members and [*caller.visible_members, *LIMITS]
    return {name: value for name, value in members.items() if name in visible} if visible else members


def _further(answer: Active, caller: Client) -> dict[str, Any]:
    """Return the members that MEMBERS adds; one that is computed or already there is not its to say."""
    function = introspection_settings.MEMBERS
    if function is None:
        return {}
    members = call_hook(f"{NAME}['MEMBERS']", function, answer.info, answer.user, caller, read=_checked)
    return {name: value for name, value in members.items() if name not in answer.info and value not in ("", [])}


def _checked(members: Any) -> Mapping[str, Any]:
    """Return a copy as it will be sent in JSON; raises TypeError or ValueError."""
    if not isinstance(members, Mapping) or not all(isinstance(name, str) for name in members):
        raise TypeError("it must return a mapping with strings as keys")
    copy: Mapping[str, Any] = json.loads(json.dumps(dict(members), allow_nan=False))
    usable = {name: value for name, value in copy.items() if name not in COMPUTED_MEMBERS and value is not None}
    if name := wrong_member(usable):
        raise TypeError(f"the member {name} has the wrong type")
    return usable
