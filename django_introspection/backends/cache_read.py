"""The keys of what a shared cache keeps about a token, and what was read from there."""

from __future__ import annotations

from typing import NamedTuple

from .entry import Kept


class CacheKeys(NamedTuple):
    """The digest of a token, and the keys of what the shared cache keeps about it.

    `generation` changes with the purge of one token, `generation_of_all` with the purge of all.
    """

    digest: bytes
    token_digest: str
    active: str
    inactive: str
    generation: str
    generation_of_all: str
    identity: int = 0
    """The identity by which a feed of revocations names the token; 0 without one."""


class CacheRead(NamedTuple):
    """The kept answer about a token, fresh or stale.

    `generation` joins the two that are valid in the shared cache, None if the cache failed; `epoch` is that of this
    process. `is_listed` says that a feed names the token, or may name it: earlier answers are of no use.
    """

    kept: Kept | None
    generation: str | None
    epoch: int
    is_revoked: bool = False
    is_listed: bool = False
