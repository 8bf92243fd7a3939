"""The introspection endpoint of another server, and how this resource server is authorized there (RFC 7662 §2.1)."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import partial
from threading import Lock
from time import monotonic

from django.views.decorators.debug import sensitive_variables

from ..outbound.client_authentication import BearerToken, ClientAuthentication, RequestCredentials
from ..outbound.service_token import ServiceToken
from ..outbound.steps import Steps
from ..outbound.transport import Reply, Request, Transport
from ..protocol.answer import Answer
from ..protocol.errors import CredentialsRefused, IntrospectionUnavailable
from ..protocol.introspection import build_request
from ..protocol.presented import Presented
from ..signals import circuit_changed, credentials_refused
from .breaker import Breaker
from .reply import ServerBusy, read_reply

logger = logging.getLogger("django_introspection")

ALARM_EVERY = 60
"""Seconds between two alarms that the server refuses us."""


class IntrospectionEndpoint:
    """Ask about tokens; a circuit breaker spares everybody the wait for a server that is down."""

    def __init__(
        self,
        alias: str,
        transport: Transport,
        url: Callable[[], Steps[str]],
        authorization: ClientAuthentication | ServiceToken,
    ) -> None:
        self._alias, self._transport, self._url, self._authorization = alias, transport, url, authorization
        self._breaker = Breaker(self._circuit_changed)
        self._alarms = Lock()
        self._alarmed_at = -math.inf

    def ask(self, token: Presented) -> Steps[Answer]:
        """Ask about a token; raises IntrospectionUnavailable."""
        if wait := self._breaker.seconds_to_wait():
            detail = "the authorization server did not answer lately"
            raise IntrospectionUnavailable(detail, retry_after=math.ceil(wait))
        try:
            reply = yield from self.exchange(token)
            if reply.status == 401 and self._has_new_token():
                reply = yield from self.exchange(token)
            answer = read_reply(reply)
        except IntrospectionUnavailable as failure:
            self._breaker.failed(wait=failure.retry_after if isinstance(failure, ServerBusy) else None)
            if isinstance(failure, CredentialsRefused):
                self._raise_alarm(failure)
            raise
        self._breaker.succeeded()
        return answer

    def exchange(self, token: Presented) -> Steps[Reply]:
        """Ask about a token whatever happened before, and return the reply as it came."""
        url = yield from self._url()
        credentials = yield from self._credentials()
        return (yield from self._transport.exchange(partial(_request, url, token, credentials)))

    def _credentials(self) -> Steps[Callable[[], RequestCredentials]]:
        """Return what makes the credentials for one request: an assertion is good once."""
        if not isinstance(self._authorization, ServiceToken):
            return self._authorization.credentials
        token = yield from self._authorization.value()
        return BearerToken(token.value).credentials

    def _has_new_token(self) -> bool:
        """Give up a fetched token that was refused; tell whether there is another to be had."""
        return isinstance(self._authorization, ServiceToken) and self._authorization.give_up()

    def _raise_alarm(self, failure: CredentialsRefused) -> None:
        """Tell the operator, whose fault it is, and not with every request."""
        with self._alarms:
            if monotonic() < self._alarmed_at + ALARM_EVERY:
                return
            self._alarmed_at = monotonic()
        logger.error("credentials refused backend=%s: %s", self._alias, failure)
        credentials_refused.send_robust(type(self), backend=self._alias, detail=str(failure))

    def _circuit_changed(self, is_open: bool) -> None:
        logger.warning("circuit %s backend=%s", "opened" if is_open else "closed", self._alias)
        circuit_changed.send_robust(type(self), backend=self._alias, is_open=is_open)


@sensitive_variables()
def _request(url: str, token: Presented, credentials: Callable[[], RequestCredentials]) -> Request:
    form, headers = credentials()
    return Request.post(url, {**build_request(token.value), **form}, headers)
