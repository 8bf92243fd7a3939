"""The introspection endpoint of another server, and how this resource server is authorized there (RFC 7662 §2.1)."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import partial
from time import monotonic

from ..outbound.busy import requested_pause
from ..outbound.client_authentication import Authorization, ClientAuthentication
from ..outbound.deadline import DeadlinePassed, seconds_left
from ..outbound.steps import Steps
from ..outbound.transport import Reply, Request, Transport
from ..protocol.answer import Answer
from ..protocol.errors import CredentialsRefused, IntrospectionUnavailable, InvalidResponse
from ..protocol.introspection import build_request
from ..protocol.presented import Presented
from ..signals import circuit_changed
from .alarm import CredentialsAlarm
from .breaker import Breaker
from .diagnosis import random_token
from .reply import QuestionRefused, read_reply

logger = logging.getLogger("django_introspection")

COMPARE_EVERY = 60
"""Seconds between two questions that find out whether a refusal is about the token or about this resource server."""
LEAST_SHARE = 0.1
"""Share of the timeout that must be left for a question: a shorter one would get no answer from most servers."""
PROBE_SHARE = 0.4
"""Share of the timeout that must be left for a probe: it decides for all callers."""


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
        self._alias, self._transport, self._url, self._authorization = alias, transport, url, authorization
        self._timeout = timeout
        self._breaker = Breaker(self._circuit_changed)
        self._alarm = CredentialsAlarm(backend=alias)
        self._compared_at = -math.inf

    def ask(self, token: Presented) -> Steps[Answer]:
        """Ask about a token; raise IntrospectionUnavailable."""
        try:
            url = yield from self._url()
            authentication = yield from self._authorization.current()
            yield from self._admit(url, authentication)
            reply = yield from self._send(url, authentication, token)
            if reply.status == 401:
                other = yield from self._authorization.other_than(authentication)
                reply = reply if other is None else (yield from self._send(url, other, token))
            return self.read(reply)
        except QuestionRefused:
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

        django-oauth-toolkit answers 403 without a word to wrong credentials, as a firewall does to one token.
        """
        if monotonic() < self._compared_at + COMPARE_EVERY or seconds_left() < self._timeout * LEAST_SHARE:
            return
        self._compared_at = monotonic()
        request = partial(_request, url, Presented(random_token()), authentication)
        try:
            self.read((yield from self._transport.exchange(request)))
        except (CredentialsRefused, QuestionRefused):
            self._alarm.ring(CredentialsRefused("the authorization server refuses a random token as well"))
        except IntrospectionUnavailable:
            return

    def _admit(self, url: str, authentication: ClientAuthentication) -> Steps[None]:
        """Raise IntrospectionUnavailable if the server must not be asked now."""
        self._require_time()
        admission = self._breaker.admit(may_probe=seconds_left() >= self._timeout * PROBE_SHARE)
        if admission.wait:
            detail = "the authorization server did not answer lately"
            raise IntrospectionUnavailable(detail, retry_after=math.ceil(admission.wait))
        if admission.probes:
            yield from self._probe(url, authentication)
            self._require_time()

    def _require_time(self) -> None:
        if seconds_left() < self._timeout * LEAST_SHARE:
            raise DeadlinePassed("too little time is left to ask the authorization server: Timeout")

    def _probe(self, url: str, authentication: ClientAuthentication) -> Steps[None]:
        """Ask about a token of our own: no caller's token decides for the others.

        A server that is slow can use up the time of this caller, and the circuit closes all the same.
        """
        request = partial(_request, url, Presented(random_token()), authentication)
        try:
            reply = yield from self._transport.exchange(request)
        except InvalidResponse:  # too large, and a reply all the same
            pause = None
        except IntrospectionUnavailable:
            self._breaker.probe_failed()
            raise
        else:
            pause = requested_pause(reply)
        if pause is None:
            self._breaker.probe_answered()
            return
        self._breaker.probe_failed(wait=pause)
        raise IntrospectionUnavailable("the authorization server is busy", retry_after=pause)

    def _send(self, url: str, authentication: ClientAuthentication, token: Presented) -> Steps[Reply]:
        """Ask about a token, and note for all callers whether the server replies."""
        replies = self._breaker.replies
        try:
            reply = yield from self._transport.exchange(partial(_request, url, token, authentication))
        except InvalidResponse:  # too large, and a reply all the same
            self._breaker.replied()
            raise
        except IntrospectionUnavailable:
            self._breaker.was_silent(replies_before=replies)
            raise
        if requested_pause(reply) is None:
            self._breaker.replied()
        else:
            self._breaker.was_busy()
        return reply

    def _circuit_changed(self, is_open: bool) -> None:
        logger.warning("circuit %s backend=%s", "opened" if is_open else "closed", self._alias)
        circuit_changed.send_robust(type(self), backend=self._alias, is_open=is_open)


def _request(url: str, token: Presented, authentication: ClientAuthentication) -> Request:
    form, headers = authentication.credentials()  # made for this one request: an assertion is valid once
    return Request.post(url, {**build_request(token.value), **form}, headers)
