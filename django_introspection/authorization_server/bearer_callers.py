"""Callers of the introspection endpoint that come with an access token of their own (RFC 7662 §2.1)."""

from __future__ import annotations

from ..conf import introspection_settings
from ..models import Client
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.binding import ProvenKeys, binding_refusal
from ..protocol.networks import may_send_from
from .client_sources import client_sources


def holder_of(token: str) -> tuple[Client | None, Answer]:
    """Return the client to which a token was issued, and the answer of the first source that knows the token."""
    answer: Answer = Inactive(Reason.UNKNOWN)
    for source in client_sources():
        client, answer = source.by_token(token)
        if answer or answer.reason not in (Reason.UNKNOWN, Reason.MALFORMED):
            return client, answer
    return None, answer


def token_problem(answer: Answer, keys: ProvenKeys, address: str | None) -> str:
    """Return why a token is not a client's own for this server, "" if it is: only a plain machine token is.

    `keys` are those that the caller proved to hold, `address` is where it calls from.
    """
    if not answer:
        return answer.reason
    info = answer.info
    if not info.is_access_token:
        return Reason.NOT_AN_ACCESS_TOKEN
    if reason := binding_refusal(info, keys):
        return reason
    if not may_send_from(info, address):
        return Reason.OUTSIDE_NETWORKS
    if answer.user is not None:
        return "issued for a user"
    if not info.audiences and introspection_settings.BEARER_WITHOUT_AUDIENCE:
        return ""
    if introspection_settings.ISSUER is None or introspection_settings.ISSUER not in info.audiences:
        return Reason.WRONG_AUDIENCE
    return ""
