"""Tombstones for tokens that another package ends: Django sends a signal for each row that is deleted or saved."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_delete, post_init, post_save

from .. import revocations
from ..authorization_server.restoring import restore_if_needed
from ..conf import introspection_settings
from ..protocol.errors import IntrospectionUnavailable
from ..revocations import Tombstone

logger = logging.getLogger("django_introspection")

_BEFORE = "_introspection_tombstone"


class Watch:
    """Watch the rows of tokens; `tombstone` returns the tombstone of one, None if no cache can hold the token.

    It needs the `columns`: a row that was read without them is not compared.
    """

    def __init__(self, tombstone: Callable[[Any], Tombstone | None], columns: Iterable[str]) -> None:
        self._tombstone = tombstone
        self._columns = frozenset(columns)

    def connect(self, model: type[Model]) -> None:
        """Begin; calling it again changes nothing."""
        for signal, receiver in ((post_init, self._loaded), (post_save, self._saved), (post_delete, self._deleted)):
            signal.connect(receiver, sender=model, dispatch_uid=f"{__name__}.{receiver.__name__}", weak=False)

    def write_tombstones(self, rows: Iterable[Any]) -> None:
        """Write the tombstones of tokens that end without a signal; raises IntrospectionUnavailable."""
        tombstones = (self._tombstone(row) for row in rows)
        revocations.write_tombstones(
            tombstone for tombstone in tombstones if tombstone is not None and tombstone.is_needed
        )

    def _loaded(self, instance: Any, **_: Any) -> None:
        """Remember what a row was: a token may get another value, or end early."""
        if introspection_settings.REVOCATIONS is not None and vars(instance).keys() >= self._columns:
            vars(instance)[_BEFORE] = self._tombstone(instance)

    def _saved(self, instance: Any, using: str, **_: Any) -> None:
        before: Tombstone | None = vars(instance).pop(_BEFORE, None)
        if before is None:
            return
        after = vars(instance)[_BEFORE] = self._tombstone(instance)
        if after is None or before.digest != after.digest or not after.is_needed:
            _write(before, using)

    def _deleted(self, instance: Any, using: str, **_: Any) -> None:
        if introspection_settings.REVOCATIONS is not None and (tombstone := self._tombstone(instance)) is not None:
            _write(tombstone, using)


def _write(tombstone: Tombstone, using: str) -> None:
    """Write now, and again when the transaction has committed: a cache may have lost the first by then."""
    if tombstone.is_needed:
        _try(tombstone)
        transaction.on_commit(partial(_try, tombstone), using=using)
        restore_if_needed()  # a project may never call an endpoint of ours


def _try(tombstone: Tombstone) -> None:
    """Let the revocation stand if the cache does not answer."""
    try:
        revocations.write_tombstones([tombstone])
    except IntrospectionUnavailable:
        logger.error("a revoked token stays in the caches that hold it, until they ask again")
