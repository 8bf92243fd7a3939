"""Whether the cache of REVOCATIONS remembers: written, read back, and since when nothing was lost."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.apps import apps

from .. import cut_offs, revocations
from ..backends.diagnosis import Finding
from ..protocol.errors import IntrospectionUnavailable
from ..setting_values import Revocations

LIFETIME = 60
"""Seconds for which the tombstone that is written on trial stays."""
NOT_ANSWERING = "Check CACHES, and whether the server of the cache runs."
RESTORE_CUT_OFFS = "Run manage.py introspection_events restore in the project that receives the events."
RESTORE = "Run manage.py introspection_token restore-tombstones on the authorization server."


def diagnose_memory(place: Revocations, *, reads_cut_offs: bool) -> Iterator[Finding]:
    """Look for tombstones and cut-offs in the cache, whichever of them are read."""
    if place.has_tombstones:
        yield from _tombstones()
    if reads_cut_offs:
        yield from _cut_offs(place)


def _cut_offs(place: Revocations) -> Iterator[Finding]:
    """Look for the marker of cut-offs."""
    try:
        is_marked = isinstance(revocations.call(place, "get", cut_offs.marker_key(place)), int)
    except IntrospectionUnavailable:
        yield Finding.error("the cache does not answer", NOT_ANSWERING)
        return
    if is_marked:
        yield Finding.ok("no cut-off was lost")
    else:
        what = "the marker of cut-offs is missing: tokens of backends with the option cut_offs are not judged"
        yield Finding.error(what, RESTORE_CUT_OFFS)


def _tombstones() -> Iterator[Finding]:
    """Write a tombstone and read it back, and look for the marker that proves that nothing was lost."""
    trial = revocations.Tombstone(secrets.token_bytes(32), datetime.now(UTC) + timedelta(seconds=LIFETIME))
    try:
        revocations.write_tombstones([trial])
        if not revocations.has_tombstones([trial]):
            mend = "Name a cache in REVOCATIONS that keeps what is written to it, such as Redis with noeviction."
            yield Finding.error("a tombstone was written and is not there", mend)
            return
        since = revocations.whole_since()
    except IntrospectionUnavailable:
        yield Finding.error("the cache does not answer", NOT_ANSWERING)
        return
    if since is not None:
        yield Finding.ok(f"a tombstone can be written and read, and none was lost since {since:%Y-%m-%d %H:%M:%S} UTC")
    elif apps.is_installed("django_introspection"):
        yield Finding.warning("the marker is missing until the next request to this authorization server", RESTORE)
    else:
        what = "the marker is missing: the cache has lost its data, or the authorization server writes to another one"
        mend = f"Compare CACHES and REVOCATIONS with those of the authorization server. {RESTORE}"
        yield Finding.error(what, mend)
