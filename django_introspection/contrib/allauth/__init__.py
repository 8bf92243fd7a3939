"""Tokens and clients of allauth's identity provider, as they are in its tables; each part is imported when used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend import AllauthBackend
    from .clients import AllauthClients
    from .revocation import write_tombstones

__all__ = ["AllauthBackend", "AllauthClients", "write_tombstones"]

_MODULES = {"AllauthBackend": ".backend", "AllauthClients": ".clients", "write_tombstones": ".revocation"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)
