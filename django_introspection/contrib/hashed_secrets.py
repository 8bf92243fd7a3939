"""Client secrets that another package keeps as password hashes: hashed once, and remembered if they were right.

A password hash takes a large part of a second by design, at every request. Every process accepts a secret that was
right once without hashing, even during an attack. The first use of a secret, and each guess, is hashed within bounds.
"""

from __future__ import annotations

import logging
from functools import partial

from django.contrib.auth.hashers import check_password, identify_hasher, make_password
from django.utils.crypto import constant_time_compare

from .hashing_turns import HashingTurns
from .right_secrets import RightSecrets, digest_of

logger = logging.getLogger("django_introspection")


def is_hashed(stored: str) -> bool:
    """Return whether a secret is kept as a password hash of a configured hasher."""
    try:
        identify_hasher(stored)
    except ValueError:
        return False
    return True


def _is_hash_of(given: str, stored: str) -> bool:
    try:
        return check_password(given, stored)
    except Exception as error:  # noqa: BLE001 - each hasher fails in its own way on a broken hash
        logger.error("a stored client secret is broken: %s", type(error).__name__)
        return False


class HashedSecrets:
    """Verify secrets. A wrong one costs one statement and one hash, also if the client does not exist.

    Raise TooManyRequests or TemporarilyUnavailable instead of hashing beyond the bounds of `HashingTurns`.
    """

    def __init__(self) -> None:
        self._right = RightSecrets()
        self._turns = HashingTurns()

    def is_right(self, given: str, stored: str, *, client_id: str, address: str, hasher: str = "default") -> bool:
        """Return whether a secret is the one that is stored, hashed or not; a blank one never is."""
        digest = digest_of(given, stored)
        if self._right.knows(digest):
            return True
        if stored.strip() and given:
            if is_hashed(stored):
                return self._right.find(digest) or self._is_hash(given, stored, digest, client_id, address)
            if constant_time_compare(given, stored):
                return True
        return self._hash_wrong_secret(given, digest, client_id=client_id, address=address, hasher=hasher)

    def verify_dummy_secret(self, given: str, *, address: str, hasher: str = "default") -> bool:
        """Do the work of a wrong secret of a client that does not exist, and return False."""
        return self._hash_wrong_secret(given, digest_of(given, ""), client_id=None, address=address, hasher=hasher)

    def _is_hash(self, given: str, stored: str, digest: bytes, client_id: str, address: str) -> bool:
        with self._turns.turn(address, client_id, is_done=partial(self._right.knows, digest)) as is_needed:
            if not is_needed:
                return True
            right = _is_hash_of(given, stored)
            if right:
                self._turns.give_back(address)
                self._right.remember(digest)
        return right

    def _hash_wrong_secret(
        self, given: str, digest: bytes, *, client_id: str | None, address: str, hasher: str
    ) -> bool:
        self._right.find(digest)
        turns = self._turns
        with turns.turn(address, client_id) if client_id else turns.turn_for_unknown_client(address):
            make_password(given, hasher=hasher)
        return False
