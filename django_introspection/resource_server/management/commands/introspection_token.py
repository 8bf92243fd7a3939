"""Inspect tokens: the same command, at the place where Django looks for it in this app."""

from __future__ import annotations

from ....management.commands.introspection_token import Command

__all__ = ["Command"]
