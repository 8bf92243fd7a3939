"""When a personal token was last used: collected in memory, and written in batches after an answer was sent.

A use is each time that an active token is looked up for a view of this project or for a caller of the introspection
endpoint. The time is stored at most once in five minutes, however many processes meet the token. A process that dies
loses the uses that it has not written yet. Each is written to the database in which its token was found.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID

from django.core.signals import request_finished
from django.db import Error as DatabaseError
from django.db import connections, router
from django.db.models import BigIntegerField, Case, Q, Value, When

from ..backends.inspecting import is_inspecting
from ..cache_calls import LimitedLog
from ..models.token_record import TokenRecord
from .models import PersonalToken

INTERVAL = 300
"""Seconds in which the use of a token is stored once."""
PAUSE = 5
"""Seconds between two batches of one process, unless a batch is full."""
BATCH = 100
"""Tokens of one statement."""
MOST = 10_000
"""Tokens that a process remembers; a tenth of them may wait to be written."""

_log = LimitedLog(logging.getLogger("django_introspection"), logging.WARNING)


class Use(NamedTuple):
    """A use to write: its moment, and the alias of the database that has the token."""

    moment: int
    using: str


class LastUses:
    """The uses that one process has seen. Requests end as always until there is one."""

    def __init__(self) -> None:
        self._noted: dict[str, int] = {}
        self._waiting: dict[str, Use] = {}
        self._lock = Lock()
        self._next_batch = 0.0

    def note(self, token_id: str) -> None:
        """Note that a token is used now; one look into a dictionary if that was noted in the last five minutes."""
        now = int(time.time())
        if abs(now - self._noted.get(token_id, 0)) < INTERVAL:
            return
        with self._lock:
            if len(self._noted) >= MOST:
                self._noted.clear()
            if len(self._waiting) < MOST // 10:  # else it is noted with a later use
                self._noted[token_id] = now
                self._waiting[token_id] = Use(now, router.db_for_write(PersonalToken))  # perhaps that of a tenant
                request_finished.connect(self.write_if_due, dispatch_uid=f"{__name__}.{id(self)}")

    def write_if_due(self, **_: Any) -> None:
        """Write a batch if one is waiting, and the last one was some seconds ago or this one is full."""
        if self._waiting and (len(self._waiting) >= BATCH or time.monotonic() >= self._next_batch):
            self._next_batch = time.monotonic() + PAUSE
            self.write()

    def write(self) -> None:
        """Write what is waiting. A database that does not answer is reported in the log, and fails nothing."""
        while batch := self._take():
            try:
                _store(batch)
            except DatabaseError as error:
                _log.write(f"the last use of personal tokens was not stored: {type(error).__name__}")
                with self._lock:
                    for token_id in batch:
                        self._noted.pop(token_id, None)  # the next use tries again
                return

    def forget(self) -> None:
        """Forget everything, as a process that begins."""
        with self._lock:
            self._noted, self._waiting, self._next_batch = {}, {}, 0.0
            request_finished.disconnect(dispatch_uid=f"{__name__}.{id(self)}")

    def _take(self) -> dict[str, Use]:
        with self._lock:
            return dict(self._waiting.popitem() for _ in range(min(BATCH, len(self._waiting))))


last_uses = LastUses()


def write_last_uses() -> None:
    """Write the uses that this process has collected now: for programs that answer no requests."""
    last_uses.write()


def note_use(record: TokenRecord) -> None:
    """Note that an active token was found, unless an operator asks about it."""
    if not is_inspecting():
        last_uses.note(str(record.id))


def _store(batch: dict[str, Use]) -> None:
    """Store the moments of some tokens, with one statement for each database that has some of them."""
    by_database: defaultdict[str, dict[UUID, int]] = defaultdict(dict)
    for token_id, use in batch.items():
        by_database[use.using][UUID(token_id)] = use.moment
    for using, moments in by_database.items():
        _store_in(using, moments)


def _store_in(using: str, moments: dict[UUID, int]) -> None:
    """Store the moments of some tokens, unless another process has done so within five minutes."""
    rows = PersonalToken.objects.using(using).filter(pk__in=moments)
    try:
        old = Q(last_used_at=None) | Q(last_used_at__lte=_by_token(moments, before=INTERVAL))
        rows.filter(old).update(last_used_at=_by_token(moments))
    finally:
        if not connections[using].in_atomic_block:  # or the transaction of the caller would lose its connection
            connections[using].close_if_unusable_or_obsolete()  # Django's own look at the connections may be over


def _by_token(moments: dict[UUID, int], before: int = 0) -> Case:
    """Return the moment of each row, or so many seconds before it."""
    bigint = BigIntegerField()
    cases = [When(pk=key, then=Value(moment - before, output_field=bigint)) for key, moment in moments.items()]
    return Case(*cases, output_field=bigint)
