"""The meaning of every reply that an introspection endpoint can give."""

from __future__ import annotations

from typing import Final

from ..outbound.transport import Reply
from ..protocol.answer import Answer
from ..protocol.errors import CredentialsRefused, IntrospectionUnavailable, InvalidResponse
from ..protocol.introspection import parse_response
from ..protocol.strict_json import parse_json_object

MAX_RETRY_AFTER: Final = 30
"""Seconds that the server may ask for at most: a caller can provoke its limits, and every caller would wait."""
DEFAULT_RETRY_AFTER: Final = 5
_MAX_DIGITS = 9
_BUSY = frozenset({429, 503})
_CLIENT_ERRORS = frozenset({"invalid_client", "unauthorized_client"})
"""Error codes that mean the client and not its question (RFC 6749 §5.2)."""


class QuestionRefused(IntrospectionUnavailable):
    """The server refuses to answer this question; it says nothing about any other token."""


def read_reply(reply: Reply) -> Answer:
    """Return the answer in a reply; raise IntrospectionUnavailable if there is none."""
    if reply.status in _BUSY:
        text = f"the authorization server is busy: {reply.status}"
        raise IntrospectionUnavailable(text, retry_after=requested_pause(reply) or DEFAULT_RETRY_AFTER)
    if reply.status in (400, 401, 403):
        raise _refusal(reply)
    if reply.status != 200:
        raise IntrospectionUnavailable(f"the authorization server answers {reply.status}")
    if reply.headers.get("content-encoding", "identity") != "identity":
        raise InvalidResponse("the response is encoded although identity was asked")
    return parse_response(reply.headers.get("content-type", ""), reply.body)


def _refusal(reply: Reply) -> IntrospectionUnavailable:
    """Blame the credentials only if the server does (RFC 7662 §2.3, RFC 6749 §5.2).

    A web application firewall answers 403 to a token that looks like an attack, and some servers 400 to a long one.
    """
    if reply.status == 401 or _error_code(reply) in _CLIENT_ERRORS:
        return CredentialsRefused(f"the authorization server refuses this resource server: {reply.status}")
    return QuestionRefused(f"the authorization server refuses the question: {reply.status}")


def _error_code(reply: Reply) -> str | None:
    try:
        code = parse_json_object(reply.body).get("error")
    except ValueError:
        return None
    return code if isinstance(code, str) else None


def requested_pause(reply: Reply) -> int | None:
    """Return the seconds for which the server asks to be left alone, None if it does not (RFC 9110 §10.2.3).

    A date or nonsense counts as no time at all.
    """
    seconds = reply.headers.get("retry-after", "")
    if reply.status not in _BUSY or not (seconds.isascii() and seconds.isdecimal()):
        return None
    pause = MAX_RETRY_AFTER if len(seconds) > _MAX_DIGITS else int(seconds)  # int() refuses thousands of digits
    return min(max(pause, 1), MAX_RETRY_AFTER)
