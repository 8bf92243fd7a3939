"""Answers of another server, kept for a while: in this process, and in a cache that processes share.

The key of an entry is made of the SECRET_KEY, the identity of the backend and the SHA-256 of the token; its value is
JSON without the token, behind a MAC. A tombstone of `revocations` is read in the same round trip, and wins.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping
from functools import partial
from secrets import token_hex
from typing import Any

from django.core.checks import CheckMessage
from django.utils.crypto import salted_hmac

from .. import cut_offs, revocations
from ..cache_calls import CacheCalls
from ..cache_properties import is_private_cache
from ..check_messages import warning
from ..conf import introspection_settings
from ..outbound.steps import Step, Steps
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.jwt import token_identity
from ..protocol.presented import Presented
from ..setting_values import NAME, Revocations
from .cache_read import CacheKeys, CacheRead
from .cache_steps import CacheCall, Forgetting, delete, look_for_end, look_for_tombstone
from .entry import Kept, decode, encode, seal_of
from .local_answers import LocalAnswers, slot_of
from .options import CacheOptions
from .outdated import Outdated

logger = logging.getLogger("django_introspection")

LEARNED = 4096
"""Tokens whose keys of cut-offs a process remembers."""

_calls = CacheCalls("answers")
_writes = CacheCalls("answers")
"""Apart, because a server that is full refuses writes, and still answers reads and deletes."""


class AnswerCache:
    """Keep the answers of one backend, as its CACHE says; `patience` are the seconds that a task waits for the cache.

    In a thread, a call to a cache ends by the timeout of that cache alone. With `cut_off_issuer`, cut-offs of that
    issuer end kept answers.
    """

    def __init__(
        self, options: CacheOptions, *, identity: Iterable[str], patience: float, cut_off_issuer: str | None = None
    ) -> None:
        self.options, self._patience = options, patience
        self._cut_off_issuer = cut_off_issuer
        self._learned: dict[bytes, tuple[str, ...]] = {}
        self._outdated = Outdated()
        name = salted_hmac(__name__, json.dumps(list(identity)), algorithm="sha256").hexdigest()[:32]
        self._seal = seal_of(name)
        self._prefix = f"introspection:answer:{name}"
        self._generation_of_all = f"{self._prefix}:generation"
        self.local, self.is_local = LocalAnswers(options.LOCAL_MAX_AGE), options.LOCAL_MAX_AGE > 0

    def keys(self, digest: bytes, identity: int = 0) -> CacheKeys:
        """Return the keys of the answer about the token with this digest, and this identity in a feed."""
        name, slot, prefix = digest.hex(), slot_of(digest), self._prefix
        inactive, generation = f"{prefix}:inactive:{slot}", f"{prefix}:generation:{slot}"
        return CacheKeys(digest, name, f"{prefix}:{name}", inactive, generation, self._generation_of_all, identity)

    def heard(self, found: CacheRead, keys: CacheKeys) -> CacheRead:
        """Return what was read, without an active answer that the feed does not clear.

        While the feed is late, or answers of before it began anew are kept, tombstones alone can clear it: if none are
        read, the server is asked.
        """
        feed = self.local.feed
        if feed is None or found.is_revoked:
            return found
        if not feed.may_use_kept:
            is_cleared = revocations.are_tombstones_read()
            is_listed = not is_cleared
        else:
            is_listed = keys.identity in feed.tokens
            is_cleared = not is_listed
        kept = found.kept if is_cleared or (found.kept is not None and not found.kept.answer) else None
        return found._replace(kept=kept, is_listed=is_listed)

    def read(self, keys: CacheKeys, token: Presented) -> Steps[CacheRead]:
        """Read the kept answer about a token; a tombstone makes it revoked. One round trip if both are in one cache.

        A kept answer is not used if the tombstones cannot be read or the cache has lost them.
        """
        epoch = self.local.epoch
        wanted = [keys.active, keys.inactive, keys.generation, keys.generation_of_all]
        place = introspection_settings.REVOCATIONS
        identity = b"" if place is None else token_identity(token.value)
        together = place if place is not None and place.alias == self.options.ALIAS else None
        if together is not None:
            wanted += revocations.keys_to_read(identity, together)
            wanted += self._learned.get(keys.digest, ())
        found = yield from self._call("get_many", wanted)
        if found is None:
            return CacheRead(None, None, epoch)
        generation = f"{found.get(keys.generation, '')}{found.get(keys.generation_of_all, '')}"
        kept = self._decoded(found, keys, generation)
        if self._outdated.is_late:
            yield from self._delete_outdated()
        try:
            if together is not None:
                revoked = revocations.is_tombstone_among(found, identity, together)
                if self._cut_off_issuer is not None and kept is not None and not revoked:
                    revoked = yield from self._is_cut_off(kept, keys, found, wanted, together)
            else:
                revoked = place is not None and (yield from self._is_ended(kept, identity))
        except IntrospectionUnavailable:
            return CacheRead(None, None, epoch)
        if revoked:
            tombstoned = Kept(Inactive(Reason.REVOKED), keys.token_digest, time.time())
            return CacheRead(tombstoned, generation, epoch, is_revoked=True)
        return CacheRead(kept, generation, epoch)

    def _decoded(self, found: Mapping[str, Any], keys: CacheKeys, generation: str) -> Kept | None:
        outdated = self._outdated
        kept = decode(found[keys.active], keys.token_digest, generation, self._seal) if keys.active in found else None
        if kept is not None and kept.since <= outdated.latest and outdated.includes(keys.active, kept.since):
            kept = None
        if keys.inactive in found:
            inactive = decode(found[keys.inactive], keys.token_digest, generation, self._seal)
            if inactive is not None and (kept is None or kept.since < inactive.since):
                if keys.active in found:  # it was kept so slowly that it came last, and would be used again later
                    outdated.note(keys.active, inactive.since, is_late=True)
                return inactive
        return kept

    def _is_ended(self, kept: Kept | None, identity: bytes) -> Steps[bool]:
        """Look for the tombstone, and for what cuts a kept answer off, in a cache of their own."""
        if kept is None or not kept.answer:
            return (yield from look_for_tombstone(identity, self._patience))
        return (yield from look_for_end(identity, self._cut_off_issuer, kept.answer.info, self._patience))

    def _is_cut_off(
        self, kept: Kept, keys: CacheKeys, found: Mapping[str, Any], wanted: Iterable[str], place: Revocations
    ) -> Steps[bool]:
        """Look for cut-offs in what was read, because this process learned the keys when it last read the answer.

        The first time they need a round trip of their own: only the answer says whose token it is.
        """
        if self._cut_off_issuer is None or not kept.answer:  # the first is asked by the caller, to save this call
            return False
        info = kept.answer.info
        needed = cut_offs.keys_to_read(self._cut_off_issuer, info, place)
        if not set(needed).issubset(wanted):
            found = yield from self._call("get_many", needed)
            if found is None:
                raise IntrospectionUnavailable(revocations.UNAVAILABLE)
            if len(self._learned) >= LEARNED:
                self._learned.clear()
            self._learned[keys.digest] = needed
        return cut_offs.is_cut_off_among(found, needed, info, place)

    def is_fresh(self, kept: Kept) -> bool:
        """Return whether an answer may be given without asking."""
        return kept.is_younger(self._fresh_seconds(kept.answer))

    def may_stand_in(self, kept: Kept) -> bool:
        """Return whether an answer may be given while the server cannot be asked: only an active one may."""
        return bool(kept.answer) and kept.is_younger(self._longest(kept.answer))

    def write(self, keys: CacheKeys, kept: Kept, found: CacheRead) -> Steps[None]:
        """Keep an answer that has just come, never longer than its token lives; an inactive one ends the active one.

        After a purge in the meantime, the generation that was found before makes the entry worthless.
        """
        self.keep_locally(keys, kept, found)
        if not kept.answer:  # even if no active answer was found: it could still stand in
            self._outdated.note(keys.active, kept.since)
            yield from self._delete_outdated()
        if found.generation is None:
            return
        lives = int(min(self._longest(kept.answer), kept.seconds_to_live))
        if lives > 0:
            name = keys.active if kept.answer else keys.inactive
            entry = encode(kept, found.generation, self._seal)
            yield from self._call("set", name, entry, lives, calls=_writes)

    def _delete_outdated(self) -> Steps[None]:
        """Delete the outdated active answers; if the cache fails, a later call does it."""
        keys, succeeded = self._outdated.begin_deletion(), False
        try:
            succeeded = yield from delete(_calls, self.options.ALIAS, keys, self._patience)
        finally:  # also if this task is cancelled
            self._outdated.end_deletion(keys, succeeded=succeeded)

    def keep_locally(self, keys: CacheKeys, kept: Kept, found: CacheRead) -> None:
        """Keep an answer in this process."""
        self.local.keep(keys.digest, kept, found.epoch, self._fresh_seconds(kept.answer), keys.identity)

    def forget(self, keys: CacheKeys) -> Steps[None]:
        """Forget one token: the next request asks the server. Other processes keep their local levels.

        The new generation reaches questions that are under way in any process. Some other tokens share it, and are
        asked about once more. Raise IntrospectionUnavailable if the cache fails; one that is full still deletes.
        """
        self.local.forget(keys.digest)
        yield from self._forget("delete_many", [keys.active, keys.inactive])
        yield from self._forget("set", keys.generation, token_hex(8), self._generation_lives)

    def forget_all(self) -> Steps[None]:
        """Forget every token: entries of another generation than the current one are not believed.

        One key, because some caches write keys one after the other, and `set_many`, because `set` does not report what
        Memcached did not store. Raise IntrospectionUnavailable if the cache fails.
        """
        self.local.forget_all()
        yield from self._forget("set_many", {self._generation_of_all: token_hex(8)}, self._generation_lives)

    def check(self, alias: str) -> list[CheckMessage]:
        """Warn of a cache that other processes do not see, and of levels that a tombstone does not reach."""
        messages: list[CheckMessage] = []
        place = f"{NAME}['BACKENDS'][{alias!r}]['CACHE']"
        if self.local.feed is not None and self._cut_off_issuer is None:  # revocations reach each process, cut-offs not
            return messages
        if is_private_cache(self.options.ALIAS):
            messages.append(warning("W007", f"{place}['ALIAS'] names a cache that no other process sees."))
        if self.options.LOCAL_MAX_AGE and introspection_settings.REVOCATIONS is not None:
            seconds = self.options.LOCAL_MAX_AGE
            messages.append(
                warning("W008", f"{place}['LOCAL_MAX_AGE'] keeps a revoked token active for {seconds} seconds.")
            )
        return messages

    def _call(self, method: str, *arguments: Any, calls: CacheCalls = _calls) -> Step[Any]:
        return CacheCall(partial(calls.make, self.options.ALIAS, method, *arguments), self._patience)

    def _forget(self, method: str, *arguments: Any) -> Step[None]:
        return Forgetting(self.options.ALIAS, self._patience, method, *arguments)

    @property
    def _generation_lives(self) -> int:
        return self.options.MAX_AGE + self.options.STALE_IF_ERROR + self.options.INACTIVE_MAX_AGE + 60

    def _fresh_seconds(self, answer: Answer) -> int:
        return self.options.MAX_AGE if answer else self.options.INACTIVE_MAX_AGE

    def _longest(self, answer: Answer) -> int:
        """Return the seconds for which an answer can be of use."""
        return self.options.MAX_AGE + self.options.STALE_IF_ERROR if answer else self.options.INACTIVE_MAX_AGE
