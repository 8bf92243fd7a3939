"""The modules with the targets."""

from __future__ import annotations

from importlib import import_module

from .family import FAMILIES, Family

MODULES = ("texts", "signed", "remote", "events", "requests")


def load() -> dict[str, Family]:
    """Import all targets, and the package with them, and return the families by name."""
    for module in MODULES:
        import_module(f"{__package__}.{module}")
    return FAMILIES
