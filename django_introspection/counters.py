"""Counts by day in the cache of COUNTERS: receivers of the signals and nothing more.

Days are those of UTC. A cache that is down counts nothing, and changes no answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

from django.core.cache import BaseCache

from . import signals
from .cache_calls import CacheCalls, CacheUnavailable
from .conf import DAY, introspection_settings
from .exceptions import InvalidSetting
from .protocol.answer import Answer
from .protocol.errors import IntrospectionUnavailable

INACTIVE = "inactive"
FAILED_AUTHENTICATION = "failed-authentication"
_calls = CacheCalls("counters")
DAYS_KEPT = 40
"""Days after which a count is forgotten."""


def connect() -> None:
    """Connect the counters to the signals; calling it again changes nothing."""
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver, dispatch_uid=f"counters.{receiver.__qualname__}")


def read(names: Iterable[str], days: Iterable[date]) -> Mapping[tuple[str, date], int] | None:
    """Return the counts that are not 0 in one call to the cache, None without COUNTERS.

    Raises IntrospectionUnavailable if the cache does not answer.
    """
    place = introspection_settings.COUNTERS
    if place is None:
        return None
    days = list(days)
    keys = {_key(name, day): (name, day) for name in names for day in days}
    try:
        found = _calls.make(place.alias, "get_many", keys)
    except CacheUnavailable:
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

    def add_or_increment(cache: BaseCache) -> None:
        if not cache.add(key, 1, timeout=DAYS_KEPT * DAY):
            with suppress(ValueError):  # it expired or was evicted between the two calls
                cache.incr(key)

    with suppress(CacheUnavailable):
        _calls.use(place.alias, add_or_increment)


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
