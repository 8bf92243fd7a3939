"""Answers of another server, kept for a while: in this process, and in a cache that processes share.

The key of an entry is made of the identity of the backend and the SHA-256 of the token; what is kept is JSON that holds
no token. A tombstone of `revocations` is read in the same round trip, and wins.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Iterable
from functools import partial
from secrets import token_hex
from threading import Lock
from typing import Any, NamedTuple

from django.core.cache import caches
from django.core.checks import CheckMessage
from django.views.decorators.debug import sensitive_variables

from .. import revocations
from ..cache_properties import is_private_cache
from ..check_messages import warning
from ..conf import introspection_settings
from ..outbound.steps import Blocking, Step, Steps
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.jwt import token_identity
from ..protocol.opaque import digest
from ..protocol.presented import Presented
from ..setting_values import NAME
from .entry import Kept, decode, encode, is_younger
from .options import CacheOptions

logger = logging.getLogger("django_introspection")

SLOTS = 256
"""Places for inactive answers: garbage takes the place of garbage and never that of a good token."""
LOCAL_ENTRIES = 4096
PAUSE = 5
"""Seconds for which a cache that failed is left alone; the server is asked meanwhile."""


class CacheKeys(NamedTuple):
    """Where a cache has what is known of one token."""

    token_digest: str
    active: str
    inactive: str
    generation: str


class CacheRead(NamedTuple):
    """What was kept of a token, however stale, and the generation that is valid; None where the cache failed."""

    kept: Kept | None
    generation: str | None
    is_revoked: bool = False


class AnswerCache:
    """Keep the answers of one backend, as its CACHE says."""

    def __init__(self, options: CacheOptions, *, identity: Iterable[str]) -> None:
        self.options = options
        name = hashlib.sha256(json.dumps(list(identity)).encode()).hexdigest()[:32]
        self._prefix = f"introspection:answer:{name}"
        self._local: OrderedDict[str, tuple[Kept, float]] = OrderedDict()
        self._lock = Lock()
        self._paused_until = -math.inf

    @sensitive_variables("token")
    def keys(self, token: str) -> CacheKeys:
        """Return where a token's answer is."""
        token_digest = digest(token)
        name, slot = token_digest.hex(), int.from_bytes(token_digest[:2]) % SLOTS
        prefix = self._prefix
        return CacheKeys(name, f"{prefix}:{name}", f"{prefix}:inactive:{slot}", f"{prefix}:generation")

    def local(self, keys: CacheKeys) -> Answer | None:
        """Return the answer that this process keeps, None where it has none that is fresh."""
        if not self.options.LOCAL_MAX_AGE:
            return None
        with self._lock:
            kept, since = self._local.get(keys.active) or self._local.get(keys.inactive) or (None, 0.0)
        if kept is None or kept.token_digest != keys.token_digest or not self.is_fresh(kept):
            return None
        return kept.answer if 0 <= time.time() - since < self.options.LOCAL_MAX_AGE else None

    def read(self, keys: CacheKeys, token: Presented) -> Steps[CacheRead]:
        """Read what is kept of a token; a tombstone makes it revoked. One round trip where both are in one cache."""
        wanted = [keys.active, keys.inactive, keys.generation]
        place = introspection_settings.REVOCATIONS
        tombstone = None if place is None else revocations.tombstone_key(token_identity(token.value), place)
        together = place is not None and place.alias == self.options.ALIAS
        found = yield from self._call("get_many", [*wanted, tombstone] if together else wanted)
        if found is None:
            return CacheRead(None, None)
        generation = str(found.get(keys.generation, ""))
        try:
            revoked = tombstone in found or (not together and (yield from Blocking(partial(_is_revoked, token))))
        except IntrospectionUnavailable:
            return CacheRead(None, None)
        if revoked:
            return CacheRead(
                Kept(Inactive(Reason.REVOKED), keys.token_digest, time.time()), generation, is_revoked=True
            )
        kept = (decode(found.get(name), keys.token_digest, generation) for name in (keys.active, keys.inactive))
        return CacheRead(next((each for each in kept if each is not None), None), generation)

    def is_fresh(self, kept: Kept) -> bool:
        """Tell whether an answer may be given without asking."""
        return is_younger(kept, self.options.MAX_AGE if kept.answer else self.options.INACTIVE_MAX_AGE)

    def may_stand_in(self, kept: Kept) -> bool:
        """Tell whether an answer may be given while the server cannot be asked: only what is known to be active."""
        return bool(kept.answer) and is_younger(kept, self._longest(kept.answer))

    def write(self, keys: CacheKeys, answer: Answer, found: CacheRead) -> Steps[None]:
        """Keep an answer that has just come, never longer than its token lives."""
        kept = Kept(answer, keys.token_digest, time.time())
        self.keep_locally(keys, kept)
        if found.generation is None:
            return
        if not answer and found.kept is not None and found.kept.answer:  # or it could still stand in
            yield from self._call("delete", keys.active)
        lives = int(min(self._longest(answer), kept.seconds_to_live))
        if lives > 0:
            name = keys.active if answer else keys.inactive
            yield from self._call("set", name, encode(kept, found.generation), lives)

    def keep_locally(self, keys: CacheKeys, kept: Kept) -> None:
        """Keep an answer in this process; garbage has as few places here as there."""
        if not self.options.LOCAL_MAX_AGE:
            return
        name = keys.active if kept.answer else keys.inactive
        with self._lock:
            self._local.pop(keys.active, None)
            self._local[name] = kept, time.time()
            self._local.move_to_end(name)
            if len(self._local) > LOCAL_ENTRIES:
                self._local.popitem(last=False)

    def forget(self, keys: CacheKeys) -> Steps[None]:
        """Forget one token: the next request asks the server. Other processes keep their local levels."""
        with self._lock:
            self._local.pop(keys.active, None)
            self._local.pop(keys.inactive, None)
        yield from self._call("delete_many", [keys.active, keys.inactive])

    def forget_all(self) -> Steps[None]:
        """Forget every token: entries of another generation than the current one are not believed."""
        with self._lock:
            self._local.clear()
        longest = self.options.MAX_AGE + self.options.STALE_IF_ERROR + self.options.INACTIVE_MAX_AGE
        yield from self._call("set", f"{self._prefix}:generation", token_hex(8), longest + 60)

    def check(self, alias: str) -> list[CheckMessage]:
        """Warn of a cache that other processes do not see, and of levels that a tombstone does not reach."""
        messages: list[CheckMessage] = []
        place = f"{NAME}['BACKENDS'][{alias!r}]['CACHE']"
        if is_private_cache(self.options.ALIAS):
            messages.append(warning("W007", f"{place}['ALIAS'] names a cache that no other process sees."))
        if self.options.LOCAL_MAX_AGE and introspection_settings.REVOCATIONS is not None:
            seconds = self.options.LOCAL_MAX_AGE
            messages.append(
                warning("W008", f"{place}['LOCAL_MAX_AGE'] keeps a revoked token active for {seconds} seconds.")
            )
        return messages

    def _call(self, method: str, *arguments: Any) -> Step[Any]:
        return Blocking(partial(self._answered, method, *arguments))

    def _answered(self, method: str, *arguments: Any) -> Any:
        """Call the cache; None where it does not answer, and then for a while without trying again."""
        if time.monotonic() < self._paused_until:
            return None
        try:
            return getattr(caches[self.options.ALIAS], method)(*arguments)
        except Exception as error:  # noqa: BLE001 - each cache has errors of its own; the server is still there to ask
            logger.warning("the cache of answers does not answer: %s", type(error).__name__)
            self._paused_until = time.monotonic() + PAUSE
            return None

    def _longest(self, answer: Answer) -> int:
        """Return the seconds for which an answer can be of use."""
        return self.options.MAX_AGE + self.options.STALE_IF_ERROR if answer else self.options.INACTIVE_MAX_AGE


def _is_revoked(token: Presented) -> bool:
    return revocations.is_revoked(token_identity(token.value))
