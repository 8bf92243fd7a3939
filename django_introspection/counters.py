"""Counts by day in the cache of COUNTERS: receivers of the signals and nothing more.

Days are those of UTC. A cache that is down counts nothing, and changes no answer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from django.core.cache import caches

from . import signals
from .conf import DAY, introspection_settings
from .exceptions import InvalidSetting
from .protocol.answer import Answer
from .protocol.errors import IntrospectionUnavailable

logger = logging.getLogger("django_introspection")

INACTIVE = "inactive"
FAILED_AUTHENTICATION = "failed-authentication"
DAYS_KEPT = 40
"""Days after which a count is forgotten."""


def connect() -> None:
    """Connect the counters to the signals; calling it again changes nothing."""
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver, dispatch_uid=f"counters.{receiver.__qualname__}")


def read(names: Iterable[str], days: Iterable[date]) -> Mapping[tuple[str, date], int] | None:
    """Return the counts that are not 0 in one call to the cache, None without COUNTERS.

    Raises IntrospectionUnavailable where the cache does not answer.
    """
    place = introspection_settings.COUNTERS
    if place is None:
        return None
    days = list(days)
    keys = {_key(name, day): (name, day) for name in names for day in days}
    try:
        found = caches[place.alias].get_many(keys)
    except Exception as error:  # noqa: BLE001 - each cache has errors of its own, which may show its password
        logger.error("the cache of counters does not answer: %s", type(error).__name__)
        raise IntrospectionUnavailable("the cache of counters does not answer") from None
    return {keys[key]: int(count) for key, count in found.items()}


def _count(name: str) -> None:
    try:
        place = introspection_settings.COUNTERS
    except InvalidSetting:  # E002 says so
        return
    if place is None:
        return
    key = _key(name, datetime.now(UTC).date())
    try:
        cache = caches[place.alias]
        if not cache.add(key, 1, timeout=DAYS_KEPT * DAY):
            cache.incr(key)
    except Exception as error:  # noqa: BLE001 - every cache has errors of its own, and none may change an answer
        logger.warning("not counted, the cache does not answer: %s", type(error).__name__)


def _key(name: str, day: date) -> str:
    return f"introspection:count:{name}:{day.isoformat()}"


def _token_introspected(answer: Answer, **_: Any) -> None:
    if not answer:
        _count(INACTIVE)


def _client_authentication_failed(**_: Any) -> None:
    _count(FAILED_AUTHENTICATION)


_RECEIVERS = (
    (signals.token_introspected, _token_introspected),
    (signals.client_authentication_failed, _client_authentication_failed),
)
