"""The channel of Redis by which a revocation wakes the waiting requests of every process.

A message has no content and may be lost: a request that is woken reads the feed from its cursor on. The listener has a
thread of its own, so that a Redis that hangs delays no look at the feed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from django.core.cache import BaseCache
from django.core.cache.backends.redis import RedisCache

from ..cache_calls import PAUSE, CacheCalls, CacheUnavailable, LimitedLog
from ..cache_properties import has_channels
from ..conf import introspection_settings
from ..notices import can_listen
from ..shared_caches import shared_cache

logger = logging.getLogger("django_introspection")

NAME = "introspection:revocation-feed"
"""The name of the channel, to which the cache adds its KEY_PREFIX: Redis has the same channels in all its databases."""
RENEW = 60
"""Seconds after which the listener subscribes anew: a connection whose other end is gone shows nothing."""
LOOK = 0.2
"""Seconds between two looks of the listener whether it is still needed."""
_calls = CacheCalls("the feed of revocations")  # not that of tombstones: a user of Redis may lack the right to publish


def alias_for(using: str) -> str | None:
    """Return the cache whose Redis has the channel, None if there is none; raises InvalidSetting.

    It is the one that REVOCATION_FEED names, or that of REVOCATIONS if PostgreSQL does not wake the processes.
    """
    named = introspection_settings.REVOCATION_FEED.ALIAS
    if named is not None:
        return named
    store = introspection_settings.REVOCATIONS
    if store is None or can_listen(using) or not has_channels(store.alias):
        return None
    return store.alias


def publish(alias: str) -> None:
    """Wake every listener; if Redis fails, they look at their next tick."""
    with suppress(CacheUnavailable):
        _calls.use(alias, lambda cache: _client(cache).publish(name_in(cache), ""))


def name_in(cache: BaseCache) -> str:
    """Return the name of the channel for the users of a cache."""
    return str(cache.make_key(NAME))


class Listener:
    """Call `wake` at each message, at each subscription, and whenever messages may have been lost."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._is_stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = LimitedLog(logger, logging.WARNING)

    def start(self, alias: str) -> None:
        """Listen from now on; a further call changes nothing. One that ends at this moment is started by the next."""
        self._is_stopped.clear()
        if self._thread is None or not self._thread.is_alive():
            name = "django_introspection feed channel"
            self._thread = threading.Thread(target=self._listen, args=(alias,), name=name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread soon; one that waits for a Redis that hangs goes on if it is started again."""
        self._is_stopped.set()

    def join(self) -> None:
        """Wait until the thread has ended: for tests."""
        if self._thread is not None:
            self._thread.join()

    def _listen(self, alias: str) -> None:
        while not self._is_stopped.is_set():
            try:
                self._subscribe(alias)
            except Exception as error:  # noqa: BLE001 - each client has errors of its own, which may show its password
                self._log.write("the channel of the feed of revocations fails: %s", type(error).__name__)
                self._is_stopped.wait(PAUSE)

    def _subscribe(self, alias: str) -> None:
        """Subscribe for a time. The answer is a message as well, so what came before it is seen."""
        cache, until = shared_cache(alias), time.monotonic() + RENEW
        with closing(_client(cache).pubsub()) as subscription:
            subscription.subscribe(name_in(cache))
            while not self._is_stopped.is_set() and time.monotonic() < until:
                if subscription.get_message(timeout=LOOK) is not None:
                    self._wake()


def _client(cache: Any) -> Any:
    """Return the client of redis-py that a cache uses: Django's cache and its packages have no common name for it."""
    clients = cache._cache if isinstance(cache, RedisCache) else cache.client
    return clients.get_client(write=True)
