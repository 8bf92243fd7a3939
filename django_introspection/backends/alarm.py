"""The alarm because a server refuses the credentials of this project."""

from __future__ import annotations

import logging
import math
from threading import Lock
from time import monotonic

from ..protocol.errors import CredentialsRefused
from ..signals import credentials_refused

logger = logging.getLogger("django_introspection")

ALARM_EVERY = 60
"""Seconds between two alarms because a server refuses the credentials of one alias."""


class CredentialsAlarm:
    """Report refused credentials of a token backend or of a service to the operator, at most once in ALARM_EVERY."""

    def __init__(self, *, backend: str | None = None, service: str | None = None) -> None:
        self._backend, self._service = backend, service
        self._lock = Lock()
        self._raised_at = -math.inf

    def ring(self, failure: CredentialsRefused) -> None:
        """Log the failure and send the signal, unless that happened a moment ago."""
        with self._lock:
            if monotonic() < self._raised_at + ALARM_EVERY:
                return
            self._raised_at = monotonic()
        logger.error("credentials refused %s: %s", alias_in_log(self._backend, self._service), failure)
        credentials_refused.send_robust(type(self), backend=self._backend, service=self._service, detail=str(failure))


def alias_in_log(backend: str | None, service: str | None) -> str:
    """Return the alias of a token backend, or of a service, as a line of the log names it."""
    return f"service={service}" if backend is None else f"backend={backend}"
