"""Answers that this process keeps by itself, without asking the shared cache."""

from __future__ import annotations

import time
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from ..protocol.answer import Answer
from .entry import Kept

if TYPE_CHECKING:
    from .feed import Feed

ENTRIES = 4096
SLOTS = 256
"""Places for inactive answers, so that garbage takes the place of garbage only; and so many generations."""


def slot_of(token_digest: bytes) -> int:
    """Return the place of an inactive answer, which some other tokens share."""
    return token_digest[1]


class _Place(NamedTuple):
    answer: Answer
    token_digest: bytes
    begin: float
    end: float
    identity: int


class LocalAnswers:
    """Keep answers for `max_age` seconds, active ones by token and inactive ones by slot.

    `epoch` changes with each purge. An answer that was under way during a purge has the epoch of before, and is not
    kept. With a `feed`, an active answer is used only while the feed clears its token: the look is at each reading, so
    that an answer that was under way during a revocation is not used either.
    """

    def __init__(self, max_age: int) -> None:
        self._max_age = max_age
        self.feed: Feed | None = None
        self._places: OrderedDict[bytes | int, _Place] = OrderedDict()
        self._lock = Lock()
        self.epoch = 0

    def get(self, token_digest: bytes) -> Answer | None:
        """Return the kept answer about a token, None if there is none or it is too old.

        Reading takes no lock, which every request of the process would wait for.
        """
        place = self._places.get(token_digest) or self._places.get(slot_of(token_digest))
        if place is None or place.token_digest != token_digest or not place.begin <= time.time() < place.end:
            return None
        if self.feed is not None and place.answer and not self.feed.clears(place.identity):
            return None
        return place.answer

    def keep(self, token_digest: bytes, kept: Kept, epoch: int, seconds: float, identity: int = 0) -> None:
        """Keep an answer that is fresh for so many seconds; inactive ones have as few places as in the shared cache.

        `identity` is the one by which a feed names the token.
        """
        if not self._max_age:
            return
        now, name = time.time(), token_digest if kept.answer else slot_of(token_digest)
        end = min(now + self._max_age, kept.end(seconds))
        with self._lock:
            if epoch != self.epoch:
                return
            self._places.pop(token_digest, None)
            self._places[name] = _Place(kept.answer, token_digest, max(now, kept.since), end, identity)
            self._places.move_to_end(name)
            if len(self._places) > ENTRIES:
                self._places.popitem(last=False)

    def forget(self, token_digest: bytes) -> None:
        """Forget one token."""
        with self._lock:
            self.epoch += 1
            self._places.pop(token_digest, None)
            self._places.pop(slot_of(token_digest), None)

    def forget_all(self) -> None:
        """Forget every token."""
        with self._lock:
            self.epoch += 1
            self._places.clear()
