"""Public keys of clients, from their `jwks_uri`: fetched rarely, kept in the process, from public addresses."""

from __future__ import annotations

import logging
import os
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from django.core.signals import setting_changed

from ..conf import NAME, introspection_settings
from ..jose import VerificationKey, read_key_set
from ..protocol.errors import IntrospectionUnavailable, InvalidResponse
from ..protocol.identifiers import endpoint_problem, is_loopback, is_public
from ..protocol.strict_json import parse_json_object

logger = logging.getLogger("django_introspection")

TIMEOUT = 5
"""Seconds that a fetch may take altogether."""
MAX_SET = 128 * 1024
"""Bytes of a key set that are read."""
FRESH = 10 * 60
"""Seconds after which a set is fetched again: what a removed key lives on at most, while its owner can be reached."""
KEPT = 4 * 60 * 60
"""Seconds that the last good set is used while it cannot be fetched."""
PAUSE = 60
"""Seconds between two fetches that an unknown `kid` or a failure causes: nobody drives us against a third party."""
MAX_SETS = 1000

Keys = tuple[VerificationKey, ...]


@dataclass(slots=True)
class _Kept:
    """The set of one URL, when it was fetched, and when a fetch failed or was made for an unknown `kid`."""

    lock: Lock = field(default_factory=Lock)
    keys: Keys = ()
    fetched_at: float | None = None
    paused_at: float | None = None

    def needs_fetch(self, kid: str | None, now: float) -> bool:
        """Tell whether to fetch: a set that is new, old or lacks a `kid`, unless that was tried just now."""
        if self.paused_at is not None and _within(self.paused_at, now, PAUSE):
            return False
        if self.fetched_at is None or not _within(self.fetched_at, now, FRESH):
            return True
        return kid is not None and all(key.kid != kid for key in self.keys)


class RemoteKeySets:
    """Keep the key sets of this process by URL, the least recently used ones forgotten first."""

    def __init__(self) -> None:
        self.forget()

    def keys(self, url: str, *, kid: str | None) -> Keys:
        """Return the keys at a URL, fetched anew where they do not hold `kid`; raises IntrospectionUnavailable.

        Callers wait for one fetch together; where it fails, the last good set serves for KEPT seconds.
        """
        kept = self._entry(url)
        if kept.needs_fetch(kid, time.time()):
            with kept.lock:
                if kept.needs_fetch(kid, time.time()):  # who waited finds the work done
                    _fetch_into(kept, url)
        if kept.fetched_at is None or not _within(kept.fetched_at, time.time(), KEPT):
            raise IntrospectionUnavailable("the keys of the client cannot be fetched")
        return kept.keys

    def forget(self) -> None:
        """Start anew: after a fork a lock may be held by no one."""
        self._lock = Lock()
        self._sets: OrderedDict[str, _Kept] = OrderedDict()

    def _entry(self, url: str) -> _Kept:
        with self._lock:
            kept = self._sets.setdefault(url, _Kept())
            self._sets.move_to_end(url)
            if len(self._sets) > MAX_SETS:
                self._sets.popitem(last=False)
            return kept


def fetch(url: str) -> Keys:
    """Fetch a key set from a public address over https; raises IntrospectionUnavailable.

    A host in JWKS_HOSTS may be anywhere, and on loopback speak plain http. No redirects are followed.
    """
    from .deadline import deadline
    from .transport import Request, Transport

    host = (urlsplit(url).hostname or "").lower()
    trusted = host in introspection_settings.JWKS_HOSTS
    if endpoint_problem(url) or (is_loopback(host) and not trusted):
        raise IntrospectionUnavailable("the address of the keys is not one that keys are fetched from")
    transport = Transport(verify=True, allows=None if trusted else is_public)
    try:
        with deadline(TIMEOUT):
            reply = transport.send(Request.get(url)).run()
    finally:
        transport.close()
    if reply.status != 200 or reply.headers.get("content-encoding", "identity") != "identity":
        raise InvalidResponse(f"the server of the keys answers {reply.status}")
    if len(reply.body) > MAX_SET:
        raise InvalidResponse("the set of keys is too large")
    try:
        return read_key_set(parse_json_object(reply.body))
    except ValueError as problem:  # KeyProblem is one
        raise InvalidResponse(f"the set of keys {problem}") from None


def _fetch_into(kept: _Kept, url: str) -> None:
    """Fetch the set; what comes now and is no plain renewal is followed by a pause."""
    now = time.time()
    pauses = kept.fetched_at is not None and _within(kept.fetched_at, now, FRESH)
    try:
        kept.keys, kept.fetched_at = fetch(url), now
    except IntrospectionUnavailable as error:
        logger.warning("the keys of a client cannot be fetched: %s", error)
        pauses = True
    kept.paused_at = now if pauses else None


def _within(since: float, now: float, seconds: int) -> bool:
    """Tell whether a moment is less than some seconds ago; a clock that was set back proves nothing."""
    return 0 <= now - since < seconds


remote_key_sets = RemoteKeySets()


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting == NAME:
        remote_key_sets.forget()


setting_changed.connect(_settings_changed)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=remote_key_sets.forget)
