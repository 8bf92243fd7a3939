"""Whether the cache of REVOCATIONS remembers: written, read back, and since when nothing was lost."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.apps import apps

from .. import revocations
from ..backends.diagnosis import Finding
from ..protocol.errors import IntrospectionUnavailable

LIFETIME = 60
"""Seconds for which the tombstone that is written on trial stays."""
RESTORE = "Run manage.py introspection_token restore-tombstones on the authorization server."


def diagnose_memory() -> Iterator[Finding]:
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
        yield Finding.error("the cache does not answer", "Check CACHES, and whether the server of the cache runs.")
        return
    if since is not None:
        yield Finding.ok(f"a tombstone can be written and read, and none was lost since {since:%Y-%m-%d %H:%M:%S} UTC")
    elif apps.is_installed("django_introspection"):
        yield Finding.warning("the marker is missing until the next request to this authorization server", RESTORE)
    else:
        what = "the marker is missing: the cache has lost its data, or the authorization server writes to another one"
        mend = f"Compare CACHES and REVOCATIONS with those of the authorization server. {RESTORE}"
        yield Finding.error(what, mend)
