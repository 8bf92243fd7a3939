"""The sources of answers. A backend and its dependencies are imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import TokenBackend
    from .database import DatabaseBackend
    from .jwt import JWTBackend
    from .remote import RemoteBackend
    from .routing import RoutingBackend

__all__ = ["DatabaseBackend", "JWTBackend", "RemoteBackend", "RoutingBackend", "TokenBackend"]

_MODULES = {
    "DatabaseBackend": ".database",
    "JWTBackend": ".jwt",
    "RemoteBackend": ".remote",
    "RoutingBackend": ".routing",
    "TokenBackend": ".base",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)
