"""Replies by which a server asks for a pause (RFC 6585 §4, RFC 9110 §15.6.4)."""

from __future__ import annotations

from typing import Final

from ..protocol.errors import IntrospectionUnavailable
from .messages import Reply

MAX_RETRY_AFTER: Final = 30
"""Seconds that the server may ask for at most: a caller can provoke its limits, and every caller would wait."""
DEFAULT_RETRY_AFTER: Final = 5
_MAX_DIGITS = 9
_BUSY = frozenset({429, 503})


def refuse_if_busy(reply: Reply) -> None:
    """Raise IntrospectionUnavailable if the server asks for a pause instead of answering."""
    if reply.status in _BUSY:
        text = f"the authorization server is busy: {reply.status} from {reply.host}"
        raise IntrospectionUnavailable(text, retry_after=requested_pause(reply) or DEFAULT_RETRY_AFTER)


def requested_pause(reply: Reply) -> int | None:
    """Return the seconds for which the server asks to be left alone, None if it does not (RFC 9110 §10.2.3).

    A date or nonsense counts as no time at all.
    """
    seconds = reply.headers.get("retry-after", "")
    if reply.status not in _BUSY or not (seconds.isascii() and seconds.isdecimal()):
        return None
    pause = MAX_RETRY_AFTER if len(seconds) > _MAX_DIGITS else int(seconds)  # int() refuses thousands of digits
    return min(max(pause, 1), MAX_RETRY_AFTER)
