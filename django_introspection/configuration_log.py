"""Log the invalid settings that requests meet, once each: servers such as gunicorn and uvicorn run no system checks."""

from __future__ import annotations

import logging
import sys
from typing import Any

from django.core.signals import got_request_exception, setting_changed

from .exceptions import InvalidDeclaration, InvalidSetting

logger = logging.getLogger("django_introspection")

_reported: set[str] = set()


def connect() -> None:
    """Connect the log to the exceptions of requests; calling it again changes nothing."""
    got_request_exception.connect(_report, dispatch_uid="configuration_log")
    setting_changed.connect(_forget, dispatch_uid="configuration_log")


def _report(**_: Any) -> None:
    problem = sys.exc_info()[1]
    if isinstance(problem, (InvalidSetting, InvalidDeclaration)) and str(problem) not in _reported:
        _reported.add(str(problem))
        logger.error("requests fail with 500: %s", problem)


def _forget(**_: Any) -> None:
    _reported.clear()
