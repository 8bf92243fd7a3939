"""The routing backends that look issuers up in the table."""

from __future__ import annotations

from contextlib import suppress

from ...backends.issuers import Issuers
from ...backends.refreshed import TIMEOUT
from ...backends.registry import token_backends
from ...backends.routing import RoutingBackend
from ...exceptions import InvalidSetting
from . import find


def routers() -> list[Issuers]:
    """Return what the routing backends look issuers up with, if it is the table."""
    found = []
    for alias in token_backends:
        with suppress(InvalidSetting):  # the checks report it
            backend = token_backends[alias]
            if isinstance(backend, RoutingBackend) and backend.looked_up and backend.looked_up.find is find:
                found.append(backend.looked_up)
    return found


def routers_or_stand_in() -> list[Issuers]:
    """Return the same, or one that no alias has: rows may be written before the settings name the table."""
    return routers() or [Issuers("default", find, audience=frozenset(), most=1, timeout=TIMEOUT)]
