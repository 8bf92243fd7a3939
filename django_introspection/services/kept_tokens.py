"""Exchanged tokens that this process keeps for a short time."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

from ..outbound.renewal import is_within
from ..outbound.service_token import fresh_for
from ..outbound.token_response import Issued
from ..protocol.obtained_token import ObtainedToken

ENTRIES = 1024


class Key(NamedTuple):
    """The exchange of one token for one scope; the token itself is not kept."""

    token_digest: bytes
    scope: str | None


class KeptTokens:
    """Keep the newest ENTRIES tokens for `max_age` seconds, and none until its end; with 0 seconds, keep nothing.

    An exchanged token outlives the one that it was exchanged for: a revocation of that one does not reach it.
    """

    def __init__(self, max_age: float) -> None:
        self._max_age = max_age
        self._kept: OrderedDict[Key, tuple[ObtainedToken, float, float]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> ObtainedToken | None:
        """Return the kept token, None if there is none or it is too old."""
        with self._lock:
            token, since, seconds = self._kept.get(key, (None, 0, 0))
        return token if is_within(since, time.time(), seconds) else None

    def keep(self, key: Key, issued: Issued, since: float) -> None:
        """Keep a token that was asked for at the moment `since`."""
        life = math.inf if issued.lifetime is None else fresh_for(issued.lifetime)
        if not self._max_age:
            return
        with self._lock:
            self._kept[key] = issued.token, since, min(self._max_age, life)
            self._kept.move_to_end(key)
            if len(self._kept) > ENTRIES:
                self._kept.popitem(last=False)
