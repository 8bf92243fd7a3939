"""The clients that have introspected a moment ago, kept in this process for CLIENT_LOCAL_MAX_AGE seconds.

A client is kept under the database that has it, its identifier and the digests of the secret that it has sent, so that
only a right secret finds it, and only in the same database. It is judged with each request: a secret that expires
meanwhile is refused. A change by this process is noticed at once, one by another process or by SQL when the seconds
have passed.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import Any, NamedTuple

from django.core.signals import setting_changed
from django.db import transaction
from django.db.models.signals import post_delete, post_save

from ..conf import introspection_settings
from ..models import Client, ClientSecret
from ..setting_values import NAME

MAX_CALLERS = 1024
"""The most clients that are kept. One more, and all are looked up again."""


class _Place(NamedTuple):
    secret: ClientSecret
    begin: float
    end: float


class KeptCallers:
    """The secrets that were right, each with its client; `epoch` changes with each change of a client or a secret."""

    def __init__(self) -> None:
        self._places: dict[tuple[Any, ...], _Place] = {}
        self._lock = Lock()
        self.epoch = 0

    def get(self, name: tuple[Any, ...]) -> ClientSecret | None:
        """Return what is kept under a name, None if there is nothing, or if it is too old."""
        place = self._places.get(name)
        return place.secret if place is not None and place.begin <= time.time() < place.end else None

    def keep(self, name: tuple[Any, ...], secret: ClientSecret, epoch: int) -> None:
        """Keep a secret that was read in this epoch; what was read before a change is not kept after it."""
        now = time.time()
        place = _Place(secret, now, now + introspection_settings.CLIENT_LOCAL_MAX_AGE)
        with self._lock:
            if epoch == self.epoch:
                if len(self._places) >= MAX_CALLERS:
                    self._places.clear()
                self._places[name] = place

    def forget(self) -> None:
        """Look up every client again."""
        with self._lock:
            self.epoch += 1
            self._places.clear()

    def forget_after_change(self, using: str) -> None:
        """Look up every client again, and once more when the transaction of the change has ended."""
        self.forget()
        transaction.on_commit(self.forget, using=using)


kept_callers = KeptCallers()


def connect() -> None:
    """Notice the changes of clients and secrets; calling it again changes nothing."""
    for model in (Client, ClientSecret):
        for signal in (post_save, post_delete):
            signal.connect(_changed, sender=model, dispatch_uid="introspection_kept_callers")


def _changed(*, using: str, **_: Any) -> None:
    kept_callers.forget_after_change(using)


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting in (NAME, "DATABASES", "DATABASE_ROUTERS"):
        kept_callers.forget()


setting_changed.connect(_settings_changed)
