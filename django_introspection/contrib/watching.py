"""Tombstones for tokens that another package ends: Django sends a signal for each row that is deleted or saved."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_delete, post_init, post_save, pre_delete, pre_save
from django.dispatch import Signal

from .. import revocations
from ..authorization_server.restoring import restore_if_needed
from ..protocol.errors import IntrospectionUnavailable
from ..revocations import Tombstone

logger = logging.getLogger("django_introspection")

_BEFORE = "_introspection_tombstone"
_DELETED = "_introspection_tombstone_of_deleted"
LEFT = "a revoked token stays in the caches that hold it, until they ask again"


Identify = Callable[[Tombstone], Tombstone | None]


def _as_it_is(tombstone: Tombstone) -> Tombstone:
    return tombstone


class Watch:
    """Watch the rows of tokens; `tombstone` returns the tombstone of one, None if no cache can hold the token.

    It needs the `columns`: if a row was read without them, they are read before it is saved or deleted. If a row does
    not have the identity of its token, `tombstone` names the row, and `identify` finds the identity when the token
    ends: it returns None if no cache can hold the token, and may raise IntrospectionUnavailable.
    """

    def __init__(
        self,
        tombstone: Callable[[Any], Tombstone | None],
        columns: Iterable[str],
        identify: Identify = _as_it_is,
    ) -> None:
        self._tombstone, self._identify = tombstone, identify
        self._columns = frozenset(columns)

    def connect(self, model: type[Model]) -> None:
        """Begin; calling it again changes nothing."""
        self._receive(post_init, model, self._loaded)
        self._receive(pre_save, model, self._before_save)
        self._receive(post_save, model, self._saved)
        self._receive(pre_delete, model, self._before_delete)
        self._receive(post_delete, model, self._deleted)

    def _receive(self, signal: Signal, model: type[Model], receiver: Callable[..., None]) -> None:
        signal.connect(receiver, sender=model, dispatch_uid=f"{__name__}.{receiver.__name__}", weak=False)

    def write_tombstones(self, rows: Iterable[Any]) -> None:
        """Write the tombstones of tokens that end without a signal; raises IntrospectionUnavailable."""
        tombstones = (self._tombstone(row) for row in rows)
        named = [tombstone for tombstone in tombstones if tombstone is not None and tombstone.is_needed]
        needed = [found for tombstone in named if (found := self._identify(tombstone)) is not None]
        revocations.record_end(needed)
        revocations.write_tombstones(needed)

    def _loaded(self, instance: Any, **_: Any) -> None:
        """Remember what a row was: a token may get another value, or end early."""
        if revocations.are_ends_wanted() and vars(instance).keys() >= self._columns:
            vars(instance)[_BEFORE] = self._tombstone(instance)

    def _before_save(self, instance: Any, using: str, **_: Any) -> None:
        """Read what the row was, if it was read without some of its columns."""
        if revocations.are_ends_wanted() and _BEFORE not in vars(instance) and not instance._state.adding:
            stored = type(instance)._base_manager.using(using).filter(pk=instance.pk).first()
            vars(instance)[_BEFORE] = None if stored is None else self._tombstone(stored)

    def _saved(self, instance: Any, using: str, **_: Any) -> None:
        if not revocations.are_ends_wanted():
            return
        before: Tombstone | None = vars(instance).pop(_BEFORE, None)
        after = vars(instance)[_BEFORE] = self._tombstone(instance)
        if before is not None and (after is None or before.digest != after.digest or not after.is_needed):
            self._write(before, using)

    def _before_delete(self, instance: Any, **_: Any) -> None:
        """Name the token while its row exists."""
        if revocations.are_ends_wanted():
            vars(instance)[_DELETED] = self._tombstone(instance)

    def _deleted(self, instance: Any, using: str, **_: Any) -> None:
        tombstone: Tombstone | None = vars(instance).pop(_DELETED, None)
        if tombstone is not None:
            self._write(tombstone, using)

    def _write(self, named: Tombstone, using: str) -> None:
        """Write now, and again when the transaction has committed: a cache may have lost the first by then.

        The identity of a token may also be noted only then, by an answer that was given meanwhile.
        """
        if named.is_needed:
            found = self._find(named)
            if found is not None:
                revocations.record_end([found])
                _try(found)
            transaction.on_commit(partial(self._after_commit, named, found), using=using)
            restore_if_needed()  # a project may never call an endpoint of ours

    def _after_commit(self, named: Tombstone, found: Tombstone | None) -> None:
        tombstone = found or self._find(named)
        if tombstone is not None:
            if found is None:
                revocations.record_end([tombstone])
            _try(tombstone)

    def _find(self, named: Tombstone) -> Tombstone | None:
        try:
            return self._identify(named)
        except IntrospectionUnavailable:
            revocations.write_failed.set()  # the token has no name now: no cache is trusted until it has asked again
            logger.error(LEFT)
            return None


def _try(tombstone: Tombstone) -> None:
    """Let the revocation stand if the cache does not answer."""
    try:
        revocations.write_tombstones([tombstone])
    except IntrospectionUnavailable:
        logger.error(LEFT)
