"""The command introspection_token, in the package in which Django looks for commands of this app."""

from __future__ import annotations

from ....management.commands.introspection_token import Command

__all__ = ["Command"]
