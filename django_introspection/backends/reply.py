"""The meaning of every reply that an introspection endpoint can give."""

from __future__ import annotations

from ..outbound.busy import refuse_if_busy
from ..outbound.client_authentication import Sent
from ..outbound.messages import Reply
from ..outbound.token_response import error_code
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.errors import CredentialsRefused, IntrospectionUnavailable, InvalidResponse
from ..protocol.introspection import parse_response

_CLIENT_ERRORS = frozenset({"invalid_client", "unauthorized_client"})
"""Error codes that mean the client and not its question (RFC 6749 §5.2)."""
_UNSUPPORTED = "unsupported_token_type"
"""The error code about a token that the server never introspects, such as a JWT (RFC 7009 §2.2.1)."""


class QuestionRefused(IntrospectionUnavailable):
    """The server refuses to answer this question; it says nothing about any other token."""


def read_reply(reply: Reply, sent: Sent) -> Answer:
    """Return the answer in a reply to a request with these credentials.

    Raise IntrospectionUnavailable if there is no answer.
    """
    refuse_if_busy(reply)
    if reply.status in (400, 401) and _is_about_the_token(reply, sent):
        return Inactive(Reason.INACTIVE)
    if reply.status == 400 and error_code(reply) == _UNSUPPORTED:
        return Inactive(Reason.UNSUPPORTED_TYPE)
    return parse_response(reply.headers.get("content-type", ""), body_of(reply))


def body_of(reply: Reply) -> bytes:
    """Return the body of a reply that can be an answer; raise IntrospectionUnavailable for any other reply."""
    if reply.status in (400, 401, 403):
        raise _refusal(reply)
    if reply.status != 200:
        raise IntrospectionUnavailable(f"the authorization server {reply.host} answers {reply.status}")
    if reply.is_packed:
        raise InvalidResponse("the response is encoded although identity was asked")
    return reply.body


def _is_about_the_token(reply: Reply, sent: Sent) -> bool:
    """Return whether a refusal is an answer about the token, as Authlib and Kanidm write it.

    A client that cannot be authenticated gets `invalid_client` (RFC 6749 §5.2); `invalid_token` can only mean a token
    (RFC 6750 §3.1), which is ours if we sent one. A server that neither gets nor asks for credentials can refuse
    nothing but the token.
    """
    code = error_code(reply)
    if sent is Sent.CLIENT:
        return reply.status == 401 and code == "invalid_token"
    return sent is Sent.NOTHING and "www-authenticate" not in reply.headers and code not in _CLIENT_ERRORS


def _refusal(reply: Reply) -> IntrospectionUnavailable:
    """Blame the credentials only if the server does (RFC 7662 §2.3, RFC 6749 §5.2).

    A web application firewall answers 403 to a token that looks like an attack, and some servers 400 to a long one.
    """
    if reply.status == 401 or error_code(reply) in _CLIENT_ERRORS:
        return CredentialsRefused(f"the authorization server refuses this resource server: {reply.status}")
    return QuestionRefused(f"the authorization server refuses the question: {reply.status}")
