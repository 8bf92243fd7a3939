"""Tokens and clients of django-oauth-toolkit, as they are in its tables. Each part is imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend import OAuthToolkitBackend
    from .clients import OAuthToolkitClients
    from .revocation import write_tombstones

__all__ = ["OAuthToolkitBackend", "OAuthToolkitClients", "write_tombstones"]

_MODULES = {"OAuthToolkitClients": ".clients", "OAuthToolkitBackend": ".backend", "write_tombstones": ".revocation"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)
