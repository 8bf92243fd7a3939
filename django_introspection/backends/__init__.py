"""Where an answer comes from. A backend is imported when it is used, and what it needs with it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import TokenBackend
    from .database import DatabaseBackend
    from .remote import RemoteBackend

__all__ = ["DatabaseBackend", "RemoteBackend", "TokenBackend"]

_MODULES = {"DatabaseBackend": ".database", "RemoteBackend": ".remote", "TokenBackend": ".base"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)
