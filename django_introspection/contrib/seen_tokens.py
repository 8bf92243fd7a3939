"""The identities of tokens whose tables hold another digest than SHA-256, so that their tombstones can be written.

Caches name a token by the SHA-256 digest of its value, which a table with SHA-512 digests does not have. An answer
about such a token is the only way into a cache, so the identity is noted before the answer, in the cache of
REVOCATIONS. If that cache loses its data, nothing is accepted from other caches until they have asked again, and asking
notes anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

from .. import revocations
from ..conf import introspection_settings
from ..protocol.jwt import token_identity
from ..revocations import Tombstone
from ..setting_values import Revocations


def remember(kind: str, name: str, token: str, until: datetime) -> bool:
    """Note the identity of a token that is about to be answered as active, and return whether it was noted.

    If so, look at the row once more: a token that ended before the note has no tombstone. Without REVOCATIONS nothing
    is noted. `name` is how the row is found. Raises IntrospectionUnavailable if the cache does not answer.
    """
    place = introspection_settings.REVOCATIONS
    if place is None:
        return False
    left = int((until - datetime.now(UTC)).total_seconds()) + 1 + introspection_settings.LEEWAY
    revocations.call(place, "set", _key(place, kind, name.encode()), token_identity(token).hex(), timeout=left)
    return True


def identity_of(kind: str) -> Callable[[Tombstone], Tombstone | None]:
    """Return the function that turns a tombstone with the name of a row into one with the identity of its token.

    It returns None for a token that was never answered as active, which no cache has. It raises
    IntrospectionUnavailable.
    """

    def identify(named: Tombstone) -> Tombstone | None:
        place = introspection_settings.REVOCATIONS
        found = None if place is None else revocations.call(place, "get", _key(place, kind, named.digest))
        try:
            return None if found is None else Tombstone(bytes.fromhex(found), named.expires_at)
        except (TypeError, ValueError):  # another program may have written there
            return None

    return identify


def _key(place: Revocations, kind: str, name: bytes) -> str:
    return f"{place.prefix}seen:{hashlib.sha256(kind.encode() + b':' + name).hexdigest()}"
