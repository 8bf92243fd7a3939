"""Reading the feed of revocations of an authorization server, one page for each request."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from ..outbound.busy import refuse_if_busy
from ..outbound.client_authentication import Authorization, ClientAuthentication
from ..outbound.messages import Reply, Request
from ..outbound.steps import Steps
from ..outbound.transport import Transport
from ..protocol.errors import InvalidResponse
from ..protocol.strict_json import parse_json_document
from .reply import body_of
from .revoked_tokens import IDENTITY

MAX_CURSOR = 1000
"""Characters."""


class FeedPage(NamedTuple):
    """A page as it came: `changes` are identities with the expiry of a token that ended, None for one that returned."""

    cursor: str
    restart: bool
    more: bool
    now: int
    pause: float
    changes: list[tuple[int, int | None]]
    issuer: str | None
    policy: str
    resources: tuple[str, ...]
    age: int | None


class PageSource(Protocol):
    """Where a process reads the feed."""

    def page(self, cursor: str | None, wait: int) -> Steps[FeedPage]:
        """Read the page after a cursor, or the first one; raise IntrospectionUnavailable."""


class FeedSource:
    """The feed at an address, with the credentials of this resource server."""

    def __init__(self, transport: Transport, url: Callable[[], Steps[str]], authorization: Authorization) -> None:
        self._transport, self.address, self._authorization = transport, url, authorization

    def page(self, cursor: str | None, wait: int) -> Steps[FeedPage]:
        """Read the page after a cursor, or the first one; raise IntrospectionUnavailable."""
        url = yield from self.address()
        form = {**({} if cursor is None else {"after": cursor}), **({"wait": str(wait)} if wait else {})}
        authentication = yield from self._authorization.current()
        reply = yield from self._send(url, form, authentication)
        if reply.status == 401:
            other = yield from self._authorization.other_than(authentication)
            reply = reply if other is None else (yield from self._send(url, form, other))
        return read_page(reply)

    def _send(self, url: str, form: Mapping[str, str], authentication: ClientAuthentication) -> Steps[Reply]:
        credentials, headers = authentication.credentials()
        return (yield from self._transport.send(Request.post(url, {**form, **credentials}, headers)))


def read_page(reply: Reply) -> FeedPage:
    """Return the page in a reply; raise IntrospectionUnavailable if there is none."""
    refuse_if_busy(reply)
    body = body_of(reply)
    try:
        return _page(parse_json_document(body))
    except (ValueError, TypeError, KeyError):
        raise InvalidResponse("the feed of revocations is malformed") from None


def _page(members: Mapping[str, Any]) -> FeedPage:
    cursor, resources = members["cursor"], members["resources"]
    if not isinstance(cursor, str) or not 0 < len(cursor) <= MAX_CURSOR or not isinstance(resources, list):
        raise TypeError
    if not isinstance(members["changes"], list):
        raise TypeError
    return FeedPage(
        cursor,
        _of_type(members["restart"], bool),
        _of_type(members["more"], bool),
        _of_type(members["now"], int),
        float(_of_type(members["pause"], int)),
        [_change(each) for each in members["changes"]],
        _of_type(members.get("issuer"), str | None),
        _of_type(members["policy"], str),
        tuple(_of_type(each, str) for each in resources),
        _of_type(members.get("age"), int | None),
    )


def _change(entry: Any) -> tuple[int, int | None]:
    """Return an identity and the expiry of its token: an entry without one says that the token is active again."""
    identity, *expiry = _of_type(entry, list)
    try:
        name = base64.urlsafe_b64decode(_of_type(identity, str) + "=")
    except binascii.Error:
        raise ValueError from None
    if len(name) != IDENTITY or len(expiry) > 1:
        raise ValueError
    return int.from_bytes(name), _of_type(expiry[0], int) if expiry else None


def _of_type(value: Any, kind: Any) -> Any:
    """Return a value of a type; raises TypeError. True and False are no numbers."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError
    return value
