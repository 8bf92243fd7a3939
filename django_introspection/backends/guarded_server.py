"""Requests to a server while its circuit is closed: callers are spared the wait for one that is down."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from ..outbound.busy import requested_pause
from ..outbound.deadline import DeadlinePassed, seconds_left
from ..outbound.messages import Reply, Request
from ..outbound.steps import Steps
from ..outbound.transport import Transport
from ..protocol.errors import IntrospectionUnavailable, InvalidResponse
from ..signals import circuit_changed
from .alarm import alias_in_log
from .breaker import Breaker

logger = logging.getLogger("django_introspection")

LEAST_SHARE = 0.1
"""Share of the timeout that must be left for a request: a shorter one would get no answer from most servers."""
PROBE_SHARE = 0.4
"""Share of the timeout that must be left for a probe: it decides for all callers."""


class GuardedServer:
    """The server of a token backend or of a service, whose alias is for the log and the signal."""

    def __init__(
        self, transport: Transport, *, timeout: float, backend: str | None = None, service: str | None = None
    ) -> None:
        self._transport, self._backend, self._service = transport, backend, service
        self.timeout = timeout
        self.breaker = Breaker(self._changed)
        self._silence = ""

    def admit(self, probe: Callable[[], Request]) -> Steps[None]:
        """Raise IntrospectionUnavailable if the server must not be asked now; `probe` is a request of our own."""
        self._require_time()
        admission = self.breaker.admit(may_probe=seconds_left() >= self.timeout * PROBE_SHARE)
        if admission.wait:
            detail = f"the authorization server did not answer lately: {self._silence}"
            raise IntrospectionUnavailable(detail, retry_after=math.ceil(admission.wait))
        if admission.probes:
            yield from self._probe(probe)
            self._require_time()

    def has_time(self) -> bool:
        """Return whether enough time is left for a request."""
        return seconds_left() >= self.timeout * LEAST_SHARE

    def send(self, request: Callable[[], Request]) -> Steps[Reply]:
        """Send a request about the token of a caller, and note for all callers whether the server replies."""
        replies = self.breaker.replies
        try:
            reply = yield from self._transport.exchange(request)
        except InvalidResponse:  # too large, and a reply all the same
            self.breaker.replied()
            raise
        except IntrospectionUnavailable as failure:
            self._silence = str(failure)
            self.breaker.was_silent(replies_before=replies)
            raise
        if requested_pause(reply) is None:
            self.breaker.replied()
        else:
            self._silence = f"busy: {reply.status} from {reply.host}"
            self.breaker.was_busy()
        return reply

    def _require_time(self) -> None:
        if not self.has_time():
            raise DeadlinePassed("too little time is left to ask the authorization server: Timeout")

    def _probe(self, request: Callable[[], Request]) -> Steps[None]:
        """Send a request with a token of our own: no caller's token decides for the others.

        A server that is slow can use up the time of this caller, and the circuit closes all the same.
        """
        try:
            reply = yield from self._transport.exchange(request)
        except InvalidResponse:  # too large, and a reply all the same
            pause = None
        except IntrospectionUnavailable as failure:
            self._silence = str(failure)
            self.breaker.probe_failed()
            raise
        else:
            pause = requested_pause(reply)
        if pause is None:
            self.breaker.probe_answered()
            return
        self.breaker.probe_failed(wait=pause)
        raise IntrospectionUnavailable("the authorization server is busy", retry_after=pause)

    def _changed(self, is_open: bool) -> None:
        place = alias_in_log(self._backend, self._service)
        if is_open:
            logger.warning("circuit opened %s: %s", place, self._silence)
        else:
            logger.warning("circuit closed %s", place)
        circuit_changed.send_robust(type(self), backend=self._backend, service=self._service, is_open=is_open)
