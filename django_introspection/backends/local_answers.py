"""Answers that this process keeps by itself, without asking the shared cache."""

from __future__ import annotations

import time
from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

from .entry import Kept

ENTRIES = 4096


class CacheKeys(NamedTuple):
    """The places of the answers about one token."""

    token_digest: str
    active: str
    inactive: str
    generation: str


class LocalAnswers:
    """Keep answers for `max_age` seconds; `epoch` changes with each purge.

    An answer that was under way during a purge has the epoch of before, and is not kept.
    """

    def __init__(self, max_age: int) -> None:
        self._max_age = max_age
        self._kept: OrderedDict[str, tuple[Kept, float]] = OrderedDict()
        self._lock = Lock()
        self.epoch = 0

    def get(self, keys: CacheKeys) -> Kept | None:
        """Return the kept answer about a token, None if there is none or it is too old."""
        if not self._max_age:
            return None
        with self._lock:
            kept, since = self._kept.get(keys.active) or self._kept.get(keys.inactive) or (None, 0.0)
        if kept is None or kept.token_digest != keys.token_digest or not 0 <= time.time() - since < self._max_age:
            return None
        return kept

    def keep(self, keys: CacheKeys, kept: Kept, epoch: int) -> None:
        """Keep an answer; inactive ones have as few places here as in the shared cache."""
        name = keys.active if kept.answer else keys.inactive
        with self._lock:
            if epoch != self.epoch:
                return
            self._kept.pop(keys.active, None)
            self._kept[name] = kept, time.time()
            self._kept.move_to_end(name)
            if len(self._kept) > ENTRIES:
                self._kept.popitem(last=False)

    def forget(self, keys: CacheKeys) -> None:
        """Forget one token."""
        with self._lock:
            self.epoch += 1
            self._kept.pop(keys.active, None)
            self._kept.pop(keys.inactive, None)

    def forget_all(self) -> None:
        """Forget every token."""
        with self._lock:
            self.epoch += 1
            self._kept.clear()
