"""The introspection endpoint of another server, and how this resource server is authorized there (RFC 7662 §2.1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from time import monotonic

from ..outbound.client_authentication import Authorization, ClientAuthentication
from ..outbound.steps import Steps
from ..outbound.transport import Reply, Request, Transport
from ..protocol.answer import Answer
from ..protocol.errors import CredentialsRefused, IntrospectionUnavailable
from ..protocol.introspection import build_request
from ..protocol.presented import Presented
from .alarm import CredentialsAlarm
from .diagnosis import random_token
from .guarded_server import GuardedServer
from .reply import QuestionRefused, read_reply

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
    ) -> None:
        self._transport, self._url, self._authorization = transport, url, authorization
        self._server = GuardedServer(transport, timeout=timeout, backend=alias)
        self._alarm = CredentialsAlarm(backend=alias)
        self._compared_at = -math.inf

    def ask(self, token: Presented) -> Steps[Answer]:
        """Ask about a token; raise IntrospectionUnavailable."""
        try:
            url = yield from self._url()
            authentication = yield from self._authorization.current()
            yield from self._server.admit(partial(_request_of_our_own, url, authentication))
            reply = yield from self._send(url, authentication, token)
            if reply.status == 401:
                other = yield from self._authorization.other_than(authentication)
                reply = reply if other is None else (yield from self._send(url, other, token))
            return self.read(reply)
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
        return (yield from self._transport.exchange(partial(_request, url, token, authentication)))

    def read(self, reply: Reply) -> Answer:
        """Return the answer in a reply; raise IntrospectionUnavailable if there is none."""
        return read_reply(reply, self._authorization.sends)

    def _compare(self, url: str, authentication: ClientAuthentication) -> Steps[None]:
        """Raise the alarm if a random token is refused like the one of a caller: then it was not the token.

        django-oauth-toolkit answers 403 without a word to wrong credentials, as a firewall does to one token. 400 is
        not compared: Gluu Server 4 answers so about every token that it does not know.
        """
        if monotonic() < self._compared_at + COMPARE_EVERY or not self._server.has_time():
            return
        self._compared_at = monotonic()
        request = partial(_request_of_our_own, url, authentication)
        try:
            reply = yield from self._transport.exchange(request)
        except IntrospectionUnavailable:
            return
        if reply.status == 403:
            self._alarm.ring(CredentialsRefused("the authorization server refuses a random token as well"))

    def _send(self, url: str, authentication: ClientAuthentication, token: Presented) -> Steps[Reply]:
        return (yield from self._server.send(partial(_request, url, token, authentication)))


def _request(url: str, token: Presented, authentication: ClientAuthentication) -> Request:
    form, headers = authentication.credentials()  # made for this one request: an assertion is valid once
    return Request.post(url, {**build_request(token.value), **form}, headers)


def _request_of_our_own(url: str, authentication: ClientAuthentication) -> Request:
    return _request(url, Presented(random_token()), authentication)
