"""Which caches are shared, found out with a process of its own: `python -m django_introspection.management.caches`."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import django
from django.conf import settings
from django.core.cache import caches

from .. import revocations
from ..conf import introspection_settings
from ..protocol.errors import IntrospectionUnavailable

LIFETIME = 60
"""Seconds for which stays what is written to find out."""
PATIENCE = 60
"""Seconds that the other process may take."""


class OtherProcessFailed(Exception):
    """The other process reported no result."""


class Seen(NamedTuple):
    """Whether another process sees what is in a cache, by alias, and tombstones; None if a cache does not answer."""

    caches: Mapping[str, bool | None]
    tombstones: bool | None


def look(aliases: Iterable[str]) -> Seen:
    """Let another process read what this one writes, and the other way round; raises OtherProcessFailed."""
    here, there = (f"introspection:doctor:{secrets.token_hex(16)}" for _ in range(2))
    identity = secrets.token_bytes(32)
    answering = {alias: _write(alias, here) for alias in aliases}
    noted = _note(identity)
    asked = [alias for alias, answers in answering.items() if answers]
    told = _other_process({"aliases": asked, "here": here, "there": there, "identity": identity.hex()})
    seen = {
        alias: alias in told["seen"] and _has(alias, there) if answers else None for alias, answers in answering.items()
    }
    return Seen(seen, bool(told["revoked"]) if noted else None)


def _note(identity: bytes) -> bool:
    try:
        revocations.write_tombstones([revocations.Tombstone(identity, datetime.now(UTC) + timedelta(seconds=LIFETIME))])
    except IntrospectionUnavailable:
        return False
    return True


def _write(alias: str, name: str) -> bool:
    try:
        caches[alias].set(name, 1, LIFETIME)
    except Exception:  # noqa: BLE001 - each cache has errors of its own
        return False
    return True


def _has(alias: str, name: str) -> bool:
    try:
        return caches[alias].get(name) is not None
    except Exception:  # noqa: BLE001 - each cache has errors of its own
        return False


def _other_process(wish: Mapping[str, Any]) -> Mapping[str, Any]:
    """Run this module with the settings and the path of this process; raises OtherProcessFailed."""
    if settings.SETTINGS_MODULE is None:
        raise OtherProcessFailed("the settings are not those of a module")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE,
        "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path),
    }
    try:
        finished = subprocess.run(  # noqa: S603 - ourselves
            [sys.executable, "-m", __spec__.name],
            input=json.dumps(wish),
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        told: Mapping[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise OtherProcessFailed(type(error).__name__) from None
    return told


def main() -> None:
    """Be the other process: say what is seen, and write."""
    wish = json.load(sys.stdin)
    django.setup()
    seen = [alias for alias in wish["aliases"] if _has(alias, wish["here"])]
    for alias in wish["aliases"]:
        _write(alias, wish["there"])
    try:
        revoked = introspection_settings.REVOCATIONS is not None and revocations.is_revoked(
            bytes.fromhex(wish["identity"])
        )
    except IntrospectionUnavailable:
        revoked = False
    print(json.dumps({"seen": seen, "revoked": revoked}))  # noqa: T201 - it is what the parent reads


if __name__ == "__main__":
    main()
