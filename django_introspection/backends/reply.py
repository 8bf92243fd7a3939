"""What the reply of an introspection endpoint means, whatever it is."""

from __future__ import annotations

from ..outbound.transport import Reply
from ..protocol.answer import Answer
from ..protocol.errors import CredentialsRefused, IntrospectionUnavailable, InvalidResponse
from ..protocol.introspection import parse_response

_MAX_RETRY_AFTER = 300
_MAX_DIGITS = 9


class ServerBusy(IntrospectionUnavailable):
    """The server asks to be left alone for `retry_after` seconds."""


def read_reply(reply: Reply) -> Answer:
    """Return the answer in a reply; raises IntrospectionUnavailable for all that is none."""
    if reply.status in (429, 503):
        raise _busy(reply)
    if reply.status in (400, 401, 403):
        raise CredentialsRefused(f"the authorization server refuses this resource server: {reply.status}")
    if reply.status != 200:
        raise IntrospectionUnavailable(f"the authorization server answers {reply.status}")
    if reply.headers.get("content-encoding", "identity") != "identity":
        raise InvalidResponse("the response is encoded although identity was asked")
    return parse_response(reply.headers.get("content-type", ""), reply.body)


def _busy(reply: Reply) -> IntrospectionUnavailable:
    """Pass the server's own wish on (RFC 9110 §10.2.3); a date or nonsense counts as none."""
    text = f"the authorization server is busy: {reply.status}"
    seconds = reply.headers.get("retry-after", "")
    if not (seconds.isascii() and seconds.isdecimal()):
        return IntrospectionUnavailable(text)
    wish = _MAX_RETRY_AFTER if len(seconds) > _MAX_DIGITS else int(seconds)  # int() refuses thousands of digits
    return ServerBusy(text, retry_after=min(max(wish, 1), _MAX_RETRY_AFTER))
