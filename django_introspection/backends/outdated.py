"""Active answers in the shared cache that are older than an inactive answer, and that are not deleted yet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from threading import Lock

ENTRIES = 4096


class Outdated:
    """Remember the key of each such answer, and the moment at which the server was asked for the inactive answer.

    If there are too many keys, every answer before the last moment counts as outdated. `latest` is the last moment: a
    later answer is never outdated. `is_late` says that a deletion failed and must be tried again.
    """

    def __init__(self) -> None:
        self._moments: dict[str, float] = {}
        self._every_before = self.latest = -math.inf
        self._lock = Lock()
        self.is_late = False

    def note(self, key: str, moment: float, *, is_late: bool = False) -> None:
        """Remember that the answer with this key is outdated if it is not later than a moment."""
        with self._lock:
            if len(self._moments) >= ENTRIES:
                self._moments, self._every_before = {}, self.latest
            self._moments[key] = max(moment, self._moments.get(key, moment))
            self.latest = max(moment, self.latest)
            self.is_late = self.is_late or is_late

    def includes(self, key: str, moment: float) -> bool:
        """Return whether an answer of this moment is outdated."""
        return moment <= max(self._moments.get(key, -math.inf), self._every_before)

    def begin_deletion(self) -> dict[str, float]:
        """Return the keys that must be deleted now; `is_late` is False until this deletion has failed."""
        with self._lock:
            self.is_late = False
            return dict(self._moments)

    def end_deletion(self, keys: Mapping[str, float], *, succeeded: bool) -> None:
        """Forget the keys that were deleted and not noted again meanwhile; if the deletion failed, keep all of them."""
        with self._lock:
            if not succeeded:
                self.is_late = True
                return
            for key in [key for key, moment in keys.items() if self._moments.get(key) == moment]:
                del self._moments[key]
            if not self._moments:
                self.latest = self._every_before
