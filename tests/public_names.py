"""The public names, settings, options and commands; `python -m tests.public_names` records those of 0.1."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import django
from django.core.management import load_command_class
from django.core.management.base import BaseCommand

import django_introspection

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "django_introspection"
RECORDED = Path(__file__).with_name("names_of_0_1.txt")
MODULES = (
    *("django_introspection", "django_introspection.authentication", "django_introspection.backends"),
    *("django_introspection.decorators", "django_introspection.exceptions", "django_introspection.forward_auth"),
    "django_introspection.middleware",
    *("django_introspection.models", "django_introspection.permissions", "django_introspection.services"),
    *("django_introspection.testing", "django_introspection.throttling", "django_introspection.types"),
)
"""Each has an `__all__`."""
OPTION_TAKEN = re.compile(r"(?:options|taken)\.(?!invalid)\w+\(\s*\"(\w+)\"")
NOTE = re.compile(r"\.\. versionadded:: ([\d.]+)((?:\n? +\S[^\n]*)*)")


def public_names() -> set[str]:
    """Return what a project can name: `module.Name`, `setting X`, `option x`, `signal x`, `command x y --z`."""
    from django_introspection import signals
    from django_introspection.conf import SETTING_NAMES

    modules = {name: import_module(name).__all__ for name in MODULES}
    commands = (PACKAGE / "management" / "commands").glob("introspection_*.py")
    return {
        *(f"{module}.{name}" for module, names in modules.items() for name in names),
        *(f"signal {name}" for name, value in vars(signals).items() if isinstance(value, signals.Signal)),
        *(f"setting {name}" for name in SETTING_NAMES),
        *(f"option {name}" for name in backend_options()),
        *(f"command {line}" for path in commands for line in _command_lines(path.stem)),
    }


def backend_options() -> set[str]:
    """Return the `OPTIONS` that the backends take."""
    return {name for path in (PACKAGE / "backends").glob("*.py") for name in OPTION_TAKEN.findall(path.read_text())}


def notes(text: str) -> Iterator[str]:
    """Yield what the notes `.. versionadded::` of a text say, without the version."""
    for note in NOTE.finditer(text):
        yield note[2]


def _command_lines(command: str) -> Iterator[str]:
    of_django = {option for action in _actions(BaseCommand(), command) for option in action.option_strings}
    yield command
    for words, option in _options(command, _actions(load_command_class("django_introspection", command), command)):
        if option not in of_django:
            yield f"{words} {option}"


def _actions(command: BaseCommand, name: str) -> list[argparse.Action]:
    return command.create_parser("manage.py", name)._actions


def _options(words: str, actions: list[argparse.Action]) -> Iterator[tuple[str, str]]:
    for action in actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, parser in action.choices.items():
                yield words, name
                yield from _options(f"{words} {name}", parser._actions)
        for option in action.option_strings:
            yield words, option


if __name__ == "__main__":
    django.setup()
    if not django_introspection.__version__.startswith("0.1.0.dev"):
        raise SystemExit("0.1 is released: give a new name a note `.. versionadded::` (CONTRIBUTING.md).")
    RECORDED.write_text("\n".join(sorted(public_names())) + "\n")
