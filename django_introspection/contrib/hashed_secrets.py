"""Client secrets that another package keeps as password hashes: verified once per process, then remembered.

A password hash takes a large part of a second by design, at every request. What was right once is kept under a digest
with a key that only this process has, over the secret and the stored hash: another hash in the row is another question.
"""

from __future__ import annotations

import hmac
import logging
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from django.contrib.auth.hashers import check_password, identify_hasher, make_password
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables

from ..protocol.errors import TemporarilyUnavailable, TooManyRequests

logger = logging.getLogger("django_introspection")

REMEMBERED = 1000
"""Secrets that a process remembers; the one that was used longest ago goes first."""
MEMORY = 60 * 60
"""Seconds after which a secret is hashed again."""
CONCURRENCY = 2
"""Hashes that a process works on at a time."""
PATIENCE = 5
"""Seconds that a request waits for its turn to hash."""
BURST = 10
"""Failures that an address may have at once."""
INTERVAL = 6
"""Seconds for each failure beyond: there is always a next turn, so that nobody can lock others out for good."""
ADDRESSES = 10_000
"""Addresses whose failures a process counts."""


def is_hashed(stored: str) -> bool:
    """Tell whether a secret is kept as a password hash of a hasher that is configured."""
    try:
        identify_hasher(stored)
    except ValueError:
        return False
    return True


@sensitive_variables("given", "stored")
def _is_hash_of(given: str, stored: str) -> bool:
    try:
        return check_password(given, stored)
    except Exception as error:  # noqa: BLE001 - each hasher fails in its own way on a broken hash
        logger.error("a stored client secret is broken: %s", type(error).__name__)
        return False


class HashedSecrets:
    """Verify secrets, within bounds of memory, of work at a time, and of failures by address."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._lock = Lock()
        self._turns = BoundedSemaphore(CONCURRENCY)
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._owed: OrderedDict[str, float] = OrderedDict()

    @sensitive_variables("given", "stored")
    def is_right(self, given: str, stored: str, *, address: str, hasher: str = "default") -> bool:
        """Tell whether a secret is the stored one, hashed or not; a blank one never is.

        A wrong secret costs one hash, whatever is stored. Raises TooManyRequests or TemporarilyUnavailable instead of
        hashing beyond the bounds.
        """
        if not stored.strip() or not given:
            return self.verify_dummy_secret(given, address=address, hasher=hasher)
        if not is_hashed(stored):
            return constant_time_compare(given, stored) or self.verify_dummy_secret(
                given, address=address, hasher=hasher
            )
        name = hmac.digest(self._key, f"{len(given)}:{given}{stored}".encode(), "sha256")
        if self._remembers(name):
            return True
        with self._turn(address):
            right = self._remembers(name) or _is_hash_of(given, stored)  # others may have waited for the same
            if right:
                self._remember(name, address)
        return right

    @sensitive_variables("given")
    def verify_dummy_secret(self, given: str, *, address: str, hasher: str = "default") -> bool:
        """Do the work of a wrong secret, and say that it is wrong."""
        with self._turn(address):
            make_password(given, hasher=hasher)
        return False

    @contextmanager
    def _turn(self, address: str) -> Iterator[None]:
        self._owe(address)
        if not self._turns.acquire(timeout=PATIENCE):
            raise TemporarilyUnavailable("The server cannot authenticate clients at the moment.")
        try:
            yield
        finally:
            self._turns.release()

    def _remembers(self, name: bytes) -> bool:
        with self._lock:
            until = self._known.get(name)
            if until is None or until < time.monotonic():
                return False
            self._known.move_to_end(name)
            return True

    def _remember(self, name: bytes, address: str) -> None:
        with self._lock:
            self._known[name] = time.monotonic() + MEMORY
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            self._owed[address] = self._owed.get(address, 0) - INTERVAL

    def _owe(self, address: str) -> None:
        """Count a failure before it happens; a right secret is given back."""
        with self._lock:
            now = time.monotonic()
            owed = max(self._owed.get(address, now), now)
            late = owed - now - (BURST - 1) * INTERVAL
            if late > 0:
                raise TooManyRequests("Client authentication failed too often.", retry_after=math.ceil(late))
            self._owed[address] = owed + INTERVAL
            self._owed.move_to_end(address)
            while len(self._owed) > ADDRESSES:
                self._owed.popitem(last=False)
