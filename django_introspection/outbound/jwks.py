"""Public keys of others, fetched rarely and kept in the process: of issuers, and of clients by their `jwks_uri`."""

from __future__ import annotations

import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.core.signals import setting_changed

from ..conf import introspection_settings
from ..jose import VerificationKey, read_key_set
from ..protocol.errors import IntrospectionUnavailable, InvalidResponse
from ..protocol.identifiers import endpoint_problem, is_loopback, is_public
from ..protocol.strict_json import parse_json_object
from ..setting_values import NAME
from .deadline import deadline
from .single_flight import SingleFlight
from .steps import Steps, run

if TYPE_CHECKING:
    from .transport import Reply

logger = logging.getLogger("django_introspection")

TIMEOUT = 5
"""Seconds that a fetch may take altogether."""
MAX_SET = 512 * 1024
"""Bytes of a key set that are read."""
FRESH = 10 * 60
"""Seconds after which a set is fetched again: what a removed key lives on at most, while its owner can be reached."""
USABLE_FOR = 4 * 60 * 60
"""Seconds that the last good set is used while it cannot be fetched."""
PAUSE = 60
"""Seconds between two fetches that an unknown `kid` or a failure causes: nobody drives us against a third party."""
MAX_SETS = 1000

VerificationKeys = tuple[VerificationKey, ...]


class KeySet:
    """Keep the set of one place; `retry` are the seconds between two tries to get the first one."""

    def __init__(self, fetch: Callable[[], Steps[VerificationKeys]], *, retry: float = PAUSE) -> None:
        self._fetch, self._retry = fetch, retry
        self._flights = SingleFlight()
        self._keys: VerificationKeys = ()
        self._fetched_at: float | None = None
        self._paused_at: float | None = None

    def keys(self, kid: str | None) -> Steps[VerificationKeys]:
        """Return the keys, fetched anew where they do not hold `kid`; raises IntrospectionUnavailable.

        Callers wait for one fetch together; where it fails, the last good set serves for USABLE_FOR seconds.
        """
        if self._needs_fetch(kid, time.time()):
            yield from self._flights.call_once("keys", partial(self._renew, kid))
        if self._fetched_at is None or not _within(self._fetched_at, time.time(), USABLE_FOR):
            raise IntrospectionUnavailable("the keys cannot be fetched")
        return self._keys

    def _needs_fetch(self, kid: str | None, now: float) -> bool:
        """Tell whether to fetch: a set that is new, old or lacks a `kid`, unless that was tried just now."""
        pause = self._retry if self._fetched_at is None else PAUSE
        if self._paused_at is not None and _within(self._paused_at, now, pause):
            return False
        if self._fetched_at is None or not _within(self._fetched_at, now, FRESH):
            return True
        return kid is not None and all(key.kid != kid for key in self._keys)

    def _renew(self, kid: str | None) -> Steps[None]:
        """Fetch the set; what comes now and is no plain renewal is followed by a pause."""
        now = time.time()
        if not self._needs_fetch(kid, now):  # who came late finds the work done
            return
        pauses = self._fetched_at is not None and _within(self._fetched_at, now, FRESH)
        try:
            self._keys = yield from self._fetch()
            self._fetched_at = now
        except IntrospectionUnavailable as error:
            logger.warning("keys cannot be fetched: %s", error)
            pauses = True
        self._paused_at = now if pauses else None


def read_keys(reply: Reply) -> VerificationKeys:
    """Read the set of keys in a reply; raises InvalidResponse."""
    if reply.status != 200 or reply.headers.get("content-encoding", "identity") != "identity":
        raise InvalidResponse(f"the server of the keys answers {reply.status}")
    if len(reply.body) > MAX_SET:
        raise InvalidResponse("the set of keys is too large")
    try:
        return read_key_set(parse_json_object(reply.body))
    except ValueError as problem:  # KeyProblem is one
        raise InvalidResponse(f"the set of keys {problem}") from None


class RemoteKeySets:
    """Keep the key sets of clients by URL, the least recently used ones forgotten first."""

    def __init__(self) -> None:
        self.forget()

    def keys(self, url: str, *, kid: str | None) -> VerificationKeys:
        """Return the keys at a URL, fetched anew where they do not hold `kid`; raises IntrospectionUnavailable."""
        with deadline(TIMEOUT):
            return run(self._entry(url).keys(kid))

    def forget(self) -> None:
        """Start anew: after a fork a lock may be held by no one."""
        self._lock = Lock()
        self._sets: OrderedDict[str, KeySet] = OrderedDict()

    def _entry(self, url: str) -> KeySet:
        with self._lock:
            kept = self._sets.get(url)
            if kept is None:
                kept = self._sets[url] = KeySet(partial(fetch, url))
            self._sets.move_to_end(url)
            if len(self._sets) > MAX_SETS:
                self._sets.popitem(last=False)
            return kept


def fetch(url: str) -> Steps[VerificationKeys]:
    """Fetch the key set of a client from a public address over https; raises IntrospectionUnavailable.

    A host in JWKS_HOSTS may be anywhere, and on loopback speak plain http. No redirects are followed.
    """
    from .transport import Request, Transport

    host = (urlsplit(url).hostname or "").lower()
    trusted = host in introspection_settings.JWKS_HOSTS
    if endpoint_problem(url) or (is_loopback(host) and not trusted):
        raise IntrospectionUnavailable("the address of the keys is not one that keys are fetched from")
    transport = Transport(verify=True, allows=None if trusted else is_public)
    try:
        reply = yield from transport.send(Request.get(url))
    finally:
        transport.close()
    return read_keys(reply)


def _within(since: float, now: float, seconds: float) -> bool:
    """Tell whether a moment is less than some seconds ago; a clock that was set back proves nothing."""
    return 0 <= now - since < seconds


remote_key_sets = RemoteKeySets()


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting == NAME:
        remote_key_sets.forget()


setting_changed.connect(_settings_changed)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=remote_key_sets.forget)
