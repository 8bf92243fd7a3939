"""Secrets that were right once: known by a keyed digest, in this process and in a table that every process reads."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock

from django.db import Error as DatabaseError
from django.db import router
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from ..database_caches import savepoints
from ..models.fields import now
from ..models.verified_secret import VerifiedSecret

logger = logging.getLogger("django_introspection")

REMEMBERED = 1000
"""Secrets that a process remembers; the least recently used is dropped first."""
MEMORY = 60 * 60
"""Seconds after which a process reads the table again."""
LIFETIME = timedelta(days=90)
"""How long a row lasts that is not used; half of it later, a row that is used is renewed."""


def digest_of(given: str, stored: str) -> bytes:
    """Return the digest under which a secret is known; another stored hash makes another digest.

    Its key comes from SECRET_KEY, so that a thief of the table alone has no fast way to guess a secret.
    """
    return salted_hmac(__name__, f"{len(given)}:{given}{stored}", algorithm="sha256").digest()


class RightSecrets:
    """Remember which secrets were right. Each method takes the digest of `digest_of`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: OrderedDict[bytes, float] = OrderedDict()

    def knows(self, digest: bytes) -> bool:
        """Return whether this process knows that the secret is right."""
        with self._lock:
            until = self._known.get(digest)
            if until is None or until < time.monotonic():
                return False
            self._known.move_to_end(digest)
            return True

    def find(self, digest: bytes) -> bool:
        """Return whether another process knew it; a table that cannot be read knows nothing."""
        try:
            with savepoints(_database()):
                expires_at = _renewed(digest)
        except DatabaseError as error:
            logger.warning("verified secrets cannot be read: %s", type(error).__name__)
            return False
        if expires_at is not None:
            self._keep(digest)
        return expires_at is not None

    def remember(self, digest: bytes) -> None:
        """Remember that a secret is right, for every process, and drop what has expired."""
        self._keep(digest)
        try:
            with savepoints(_database()):
                _rows().filter(expires_at__lte=now()).delete()
                row = VerifiedSecret(digest=digest, expires_at=now() + LIFETIME)
                _rows().bulk_create([row], ignore_conflicts=True)  # another process may have been faster
        except DatabaseError as error:
            logger.warning("verified secrets cannot be written: %s", type(error).__name__)

    def _keep(self, digest: bytes) -> None:
        with self._lock:
            self._known[digest] = time.monotonic() + MEMORY
            self._known.move_to_end(digest)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def _renewed(digest: bytes) -> datetime | None:
    """Return when the row of a secret expires, None if there is none; a row that is used is renewed."""
    rows = _rows().filter(digest=digest, expires_at__gt=now())
    expires_at = rows.values_list("expires_at", flat=True).first()
    if expires_at is not None and expires_at < now() + LIFETIME / 2:
        rows.update(expires_at=now() + LIFETIME)
    return expires_at


def _rows() -> QuerySet[VerifiedSecret]:
    return VerifiedSecret._default_manager.using(_database())


def _database() -> str:
    return router.db_for_write(VerifiedSecret)
