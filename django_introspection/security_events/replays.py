"""The memory of events that were received: one that comes again has no effect."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from ..cache_calls import CacheCalls, CacheUnavailable
from ..conf import introspection_settings
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.security_event import SecurityEvents

_calls = CacheCalls("received events", level=logging.ERROR)

KEPT_FOR = 24 * 60 * 60
"""Seconds. A later repetition writes a cut-off that is there already, or that has expired with its tokens."""


def was_received(kind: str, events: SecurityEvents) -> bool:
    """Return whether an event was received before; raises IntrospectionUnavailable if the cache does not answer."""
    return _call("get", _key(kind, events)) is not None


def note_received(kind: str, events: SecurityEvents) -> None:
    """Note that an event has had its effect; raises like `was_received`."""
    _call("add", _key(kind, events), 1, KEPT_FOR)


def _key(kind: str, events: SecurityEvents) -> str:
    name = hashlib.sha256(f"{kind}\0{events.issuer}\0{events.jti}".encode()).hexdigest()
    return f"introspection:event:{name}"


def _call(method: str, *arguments: Any) -> Any:
    try:
        return _calls.make(introspection_settings.REPLAY_CACHE, method, *arguments)
    except CacheUnavailable:
        raise IntrospectionUnavailable("the cache of received events does not answer") from None
