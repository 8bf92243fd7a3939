"""Tombstones for what django-oauth-toolkit revokes: it deletes access tokens, and Django tells of each.

`QuerySet.delete()`, the admin, a deleted user or application and `cleartokens` are seen, because Django sends signals
for each row. `QuerySet.update()`, `_raw_delete()` and SQL are not: call `bury` for those.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_init, post_save

from ... import revocations
from ...conf import introspection_settings
from ...protocol.errors import IntrospectionUnavailable
from ...protocol.jwt import looks_like_jwt, token_identity
from ..stored_times import aware

logger = logging.getLogger("django_introspection")

_BEFORE = "_introspection_tombstone"
_READ = {"token", "token_checksum", "expires"}


@dataclass(slots=True)
class Tombstone:
    """What is left of an access token."""

    digest: bytes
    expires_at: datetime


def connect() -> None:
    """Watch the access tokens; calling it again changes nothing."""
    from oauth2_provider.models import get_access_token_model

    model = get_access_token_model()
    for signal, receiver in ((post_init, _loaded), (post_save, _saved), (post_delete, _deleted)):
        signal.connect(receiver, sender=model, dispatch_uid=f"{__name__}.{receiver.__name__}")


def bury(access_tokens: Iterable[Any]) -> None:
    """Write the tombstones of access tokens that end without a signal; raises IntrospectionUnavailable."""
    revocations.write(tombstone for tombstone in map(_tombstone, access_tokens) if _is_live(tombstone))


def _loaded(instance: Any, **_: Any) -> None:
    """Remember the value that a row had: without rotation, a refresh gives the row another."""
    fields = vars(instance)
    if introspection_settings.REVOCATIONS is not None and fields.get("token_checksum") and fields.keys() >= _READ:
        fields[_BEFORE] = _tombstone(instance)


def _saved(instance: Any, using: str, **_: Any) -> None:
    before: Tombstone | None = vars(instance).pop(_BEFORE, None)
    if before is None:
        return
    after = vars(instance)[_BEFORE] = _tombstone(instance)
    if before.digest != after.digest or not _is_live(after):
        _write(before, using)


def _deleted(instance: Any, using: str, **_: Any) -> None:
    _write(_tombstone(instance), using)


def _write(tombstone: Tombstone, using: str) -> None:
    """Write now, and again when the transaction has committed: a cache may have lost the first by then."""
    if introspection_settings.REVOCATIONS is None or not _is_live(tombstone):
        return
    _try(tombstone)
    transaction.on_commit(partial(_try, tombstone), using=using)


def _try(tombstone: Tombstone) -> None:
    """Let the revocation stand where the cache does not answer."""
    try:
        revocations.write([tombstone])
    except IntrospectionUnavailable:
        logger.error("a revoked token stays in the caches that hold it, until they ask again")


def _tombstone(token: Any) -> Tombstone:
    """Name a token as whoever caches answers does; of a JWT that takes its value, which may not be kept."""
    identity = token_identity(token.token) if looks_like_jwt(token.token) else bytes.fromhex(token.token_checksum)
    return Tombstone(identity, aware(token.expires))


def _is_live(tombstone: Tombstone) -> bool:
    return tombstone.expires_at > datetime.now(UTC)
