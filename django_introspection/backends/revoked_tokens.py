"""The tokens that have ended, as a sorted array of their identities: 12 bytes each, and no reader takes a lock."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping

IDENTITY = 8
"""Bytes of the SHA-256 digest of a token. With a million entries, one look-up in 18 million million is wrong."""
FEW = 64
"""Changes that are made one by one; more are sorted in."""


def identity_of(digest: bytes) -> int:
    """Return the identity by which the feed names a token, of its digest."""
    return int.from_bytes(digest[:IDENTITY])


class RevokedTokens:
    """Look up identities. One thread changes them: each change makes new arrays, so that readers see a whole one."""

    def __init__(self) -> None:
        self._identities = array("Q")
        self._ends = array("Q")

    def __contains__(self, identity: int) -> bool:
        found = self._identities
        place = bisect_left(found, identity)
        return place < len(found) and found[place] == identity

    def __len__(self) -> int:
        return len(self._identities)

    def change(self, changes: Mapping[int, int | None]) -> None:
        """Add identities with the second at which each may be forgotten, or remove them if it is None."""
        if len(changes) > FEW:
            self._sort_in(changes)
            return
        identities, ends = self._identities[:], self._ends[:]
        for identity, end in changes.items():
            place = bisect_left(identities, identity)
            if place < len(identities) and identities[place] == identity:
                if end is None:
                    del identities[place], ends[place]
                else:
                    ends[place] = max(ends[place], end)
            elif end is not None:
                identities.insert(place, identity)
                ends.insert(place, end)
        self._identities, self._ends = identities, ends

    def forget(self, second: int) -> None:
        """Forget the identities that may be forgotten at this second."""
        if min(self._ends, default=second + 1) <= second:
            kept = [entry for entry in zip(self._identities, self._ends, strict=True) if entry[1] > second]
            self._replace(kept)

    def _sort_in(self, changes: Mapping[int, int | None]) -> None:
        entries: dict[int, int | None] = dict(zip(self._identities, self._ends, strict=True))
        entries.update(changes)
        self._replace(sorted((identity, end) for identity, end in entries.items() if end is not None))

    def _replace(self, entries: list[tuple[int, int]]) -> None:
        self._identities = array("Q", [identity for identity, _ in entries])
        self._ends = array("Q", [end for _, end in entries])
