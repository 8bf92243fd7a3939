"""Tombstones for tokens of django-oauth-toolkit, which deletes the tokens that it revokes.

`QuerySet.delete()`, the admin, a deleted user or application and `cleartokens` are seen, because Django sends signals
for each row. `QuerySet.update()`, `_raw_delete()` and SQL are not: call `write_tombstones` for those.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...protocol.jwt import looks_like_jwt, token_identity
from ...revocations import Tombstone
from ..stored_times import aware
from ..watching import Watch


def connect() -> None:
    """Watch the access tokens; calling it again changes nothing."""
    from oauth2_provider.models import get_access_token_model

    _watch.connect(get_access_token_model())


def write_tombstones(access_tokens: Iterable[Any]) -> None:
    """Write the tombstones of access tokens that end without a signal; raises IntrospectionUnavailable."""
    _watch.write_tombstones(access_tokens)


def _tombstone(token: Any) -> Tombstone | None:
    """Name a token as whoever caches answers does; of a JWT that takes its value, which may not be kept."""
    if not token.token_checksum:
        return None
    identity = token_identity(token.token) if looks_like_jwt(token.token) else bytes.fromhex(token.token_checksum)
    return Tombstone(identity, aware(token.expires))


_watch = Watch(_tombstone, {"token", "token_checksum", "expires"})
