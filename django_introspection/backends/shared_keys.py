"""One set of keys for all backends with the same `jwks_uri`: the tenants of some servers are issuers of their own."""

from __future__ import annotations

import os
from collections.abc import Hashable
from functools import partial
from threading import Lock
from typing import Any
from weakref import WeakSet, WeakValueDictionary

from ..outbound.jwks import KeySet, VerificationKeys, read_keys
from ..outbound.messages import Request
from ..outbound.steps import Steps
from ..outbound.transport import Transport
from .remote_options import ServerConnection


class SharedKeys:
    """The keys at one URL, with the connections through which they are fetched, and the backends that use them."""

    def __init__(self, transport: Transport, url: str, *, retry: float) -> None:
        self.transport, self._url = transport, url
        self.users: WeakSet[Any] = WeakSet()
        self.keys = KeySet(self._fetch, retry=retry)

    def leave(self, user: object) -> bool:
        """Note that a backend is closed; return whether it was the last one."""
        with _lock:
            self.users.discard(user)
            return not self.users

    def _fetch(self) -> Steps[VerificationKeys]:
        return read_keys((yield from self.transport.exchange(partial(Request.get, self._url))))


def share_keys(user: object, connection: ServerConnection, url: str, *, retry: float) -> SharedKeys:
    """Return the keys at a URL for a backend, those of another backend if it reaches the URL in the same way."""
    name = (os.getpid(), url, connection.verify, connection.proxy, connection.caller)
    with _lock:
        shared = _shared.get(name)
        if shared is None or not shared.users:
            shared = _shared[name] = SharedKeys(connection.transport, url, retry=retry)
        shared.users.add(user)
        return shared


def _forget() -> None:
    """Start anew: after a fork the lock may be held by no one, and the sockets belong to the parent."""
    global _lock, _shared  # noqa: PLW0603 - there is one for each process
    _lock = Lock()
    _shared = WeakValueDictionary()


_lock = Lock()
_shared: WeakValueDictionary[Hashable, SharedKeys] = WeakValueDictionary()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
