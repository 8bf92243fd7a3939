"""The keys of what a shared cache keeps about a token, and what was read from there."""

from __future__ import annotations

from typing import NamedTuple

from .entry import Kept


class CacheKeys(NamedTuple):
    """The digest of a token, and the keys of what the shared cache keeps about it."""

    digest: bytes
    token_digest: str
    active: str
    inactive: str
    generation: str
    identity: int = 0
    """The identity by which a feed of revocations names the token; 0 without one."""


class CacheRead(NamedTuple):
    """The kept answer about a token, fresh or stale.

    `generation` is the one that is valid in the shared cache, None if the cache failed; `epoch` that of this process.
    `is_listed` says that a feed names the token, or may name it: an answer to an earlier question is of no use.
    """

    kept: Kept | None
    generation: str | None
    epoch: int
    is_revoked: bool = False
    is_listed: bool = False
