"""The introspection endpoint of another server, and how this resource server is authorized there (RFC 7662 §2.1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from ..outbound.client_authentication import Authorization, ClientAuthentication
from ..outbound.messages import Reply, Request
from ..outbound.steps import Steps
from ..outbound.transport import Transport
from ..protocol.answer import Answer
from ..protocol.errors import CredentialsRefused, IntrospectionUnavailable
from ..protocol.introspection import build_request
from ..protocol.presented import Presented
from ..protocol.signed_answer import MEDIA_TYPE
from .alarm import CredentialsAlarm
from .diagnosis import random_token
from .guarded_server import GuardedServer
from .reply import QuestionRefused, read_reply

if TYPE_CHECKING:
    from .signed_replies import SignedReplies

COMPARE_EVERY = 60
"""Seconds between two questions that find out whether a refusal is about the token or about this resource server."""


class IntrospectionEndpoint:
    """Ask about tokens; while the server is down, a circuit breaker spares callers the wait."""

    def __init__(
        self,
        alias: str,
        transport: Transport,
        url: Callable[[], Steps[str]],
        authorization: Authorization,
        *,
        timeout: float,
        signed: SignedReplies | None = None,
    ) -> None:
        self._transport, self._url, self._authorization, self._signed = transport, url, authorization, signed
        self._accept = {} if signed is None else {"Accept": MEDIA_TYPE}
        self._server = GuardedServer(transport, timeout=timeout, backend=alias)
        self._alarm = CredentialsAlarm(backend=alias)
        self._compared_at = -math.inf

    @property
    def is_signed(self) -> bool:
        """Whether only replies that the issuer signed are read."""
        return self._signed is not None

    def ask(self, token: Presented) -> Steps[Answer]:
        """Ask about a token; raise IntrospectionUnavailable."""
        try:
            url = yield from self._url()
            authentication = yield from self._authorization.current()
            yield from self._server.admit(partial(self._request, url, None, authentication))
            reply = yield from self._send(url, authentication, token)
            if reply.status == 401:
                other = yield from self._authorization.other_than(authentication)
                reply = reply if other is None else (yield from self._send(url, other, token))
            return (yield from self.read(reply))
        except QuestionRefused:
            if reply.status == 403:
                yield from self._compare(url, authentication)
            raise
        except CredentialsRefused as failure:
            self._alarm.ring(failure)
            raise

    def exchange(self, token: Presented) -> Steps[Reply]:
        """Ask about a token whatever happened before, and return the reply as it came."""
        url = yield from self._url()
        authentication = yield from self._authorization.current()
        return (yield from self._transport.exchange(partial(self._request, url, token, authentication)))

    def read(self, reply: Reply) -> Steps[Answer]:
        """Return the answer in a reply; raise IntrospectionUnavailable if there is none."""
        if self._signed is None:
            return read_reply(reply, self._authorization.sends)
        return (yield from self._signed.read(reply))

    def _compare(self, url: str, authentication: ClientAuthentication) -> Steps[None]:
        """Raise the alarm if a random token is refused like the one of a caller: then it was not the token.

        django-oauth-toolkit answers 403 without a word to wrong credentials, as a firewall does to one token. 400 is
        not compared: Gluu Server 4 answers so about every token that it does not know.
        """
        if monotonic() < self._compared_at + COMPARE_EVERY or not self._server.has_time():
            return
        self._compared_at = monotonic()
        request = partial(self._request, url, None, authentication)
        try:
            reply = yield from self._transport.exchange(request)
        except IntrospectionUnavailable:
            return
        if reply.status == 403:
            self._alarm.ring(CredentialsRefused("the authorization server refuses a random token as well"))

    def _send(self, url: str, authentication: ClientAuthentication, token: Presented) -> Steps[Reply]:
        return (yield from self._server.send(partial(self._request, url, token, authentication)))

    def _request(self, url: str, token: Presented | None, authentication: ClientAuthentication) -> Request:
        """Return a request about a token, or about a random one; made for one use, as an assertion is valid once."""
        form, headers = authentication.credentials()
        asked = build_request(random_token() if token is None else token.value)
        return Request.post(url, {**asked, **form}, {**self._accept, **headers})
