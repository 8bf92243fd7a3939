"""Try whether introspection works here: the same command, in the place that Django searches in this app."""

from __future__ import annotations

from ....management.commands.introspection_doctor import Command

__all__ = ["Command"]
