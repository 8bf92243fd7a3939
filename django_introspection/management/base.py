"""The shared parts of the commands: examples in the help, JSON, exit codes, and secrets outside the command line."""

from __future__ import annotations

import json
import os
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.exceptions import NON_FIELD_ERRORS, ObjectDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter, no_translations
from django.db import Error as DatabaseError

from ..exceptions import InvalidSetting
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import IntrospectionUnavailable
from ..setting_values import MAX_DAYS

FAILED = 1
UNAVAILABLE = 3
INACTIVE = 4

MAX_VALUE = 64 * 1024
"""Bytes of a secret or a token that are read; no form of ours takes more."""
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}

CommandOptions = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command: the members of its JSON, a text for people, the reason of a failure, and a warning."""

    members: Mapping[str, Any] = field(repr=False)
    text: str | None = field(default=None, repr=False)
    failure: str = ""
    exit_code: int = FAILED
    warning: str = ""


class _Help(RawDescriptionHelpFormatter, DjangoHelpFormatter):
    """Keep the lines of the examples, and Django's own options last."""


class ScriptCommand(BaseCommand):
    """A command for scripts: it asks no questions, and its output and exit code are stable.

    `examples` are lines for a shell, each one of them runnable.
    """

    examples: tuple[str, ...] = ()
    exit_codes = "0 done; 1 refused or failed, the reason is on stderr; 2 wrong usage; 3 database or cache unavailable"

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Show examples and exit codes; a shortened option would change its meaning with a further one."""
        return super().create_parser(prog_name, subcommand, **self._help(self.examples), **kwargs)

    def add_command(
        self, commands: Any, name: str, perform: Callable[[CommandOptions], CommandResult], text: str
    ) -> CommandParser:
        """Add a sub-command that a function performs."""
        examples = tuple(example for example in self.examples if name in example.split())
        parser: CommandParser = commands.add_parser(name, help=text, description=text, **self._help(examples))
        self.performed_by(parser, perform)
        return parser

    def performed_by(self, parser: ArgumentParser, perform: Callable[[CommandOptions], CommandResult]) -> None:
        """Let a function perform what a parser has read."""
        parser.set_defaults(perform=perform)
        parser.add_argument("--json", action="store_true", help="print one JSON object; times are seconds since 1970")

    @no_translations
    @conceal_locals
    def handle(self, *args: Any, **options: Any) -> None:
        """Perform and print; raises CommandError with the exit code."""
        with one_line_failures():
            outcome = options["perform"](options)
        if outcome.warning:
            self.stderr.write(outcome.warning)
        self.stdout.write(_json(outcome.members) if options["json"] else _text(outcome))
        if outcome.failure:
            raise CommandError(outcome.failure, returncode=outcome.exit_code)

    def _help(self, examples: tuple[str, ...]) -> dict[str, Any]:
        lines = "\n".join(f"  {example}" for example in examples)
        epilog = f"examples:\n{lines}\n\nexit codes: {self.exit_codes}"
        return {"epilog": epilog, "formatter_class": _Help, "allow_abbrev": False}


@contextmanager
def one_line_failures() -> Iterator[None]:
    """Turn what can go wrong into a CommandError of one line with its exit code."""
    try:
        yield
    except ValidationError as error:
        raise CommandError(_reasons(error)) from None
    except (ObjectDoesNotExist, InvalidSetting) as error:
        raise CommandError(str(error)) from None
    except DatabaseError as error:  # its text may quote values
        raise CommandError(f"The database does not answer: {type(error).__name__}", returncode=UNAVAILABLE) from None
    except IntrospectionUnavailable as error:
        found = f"Unavailable: {error}. Try again later; manage.py introspection_doctor finds the cause."
        raise CommandError(found, returncode=UNAVAILABLE) from None


def add_value_arguments(parser: ArgumentParser, name: str, what: str, *, required: bool = False) -> None:
    """Take the place of a secret or a token, because every user of a machine can read all command lines."""
    places = parser.add_mutually_exclusive_group(required=required)
    places.add_argument(f"--{name}-env", metavar="NAME", help=f"the environment variable that holds {what}")
    places.add_argument(f"--{name}-file", metavar="PATH", help=f"the file that holds {what}; - is standard input")


def read_value(options: CommandOptions, name: str) -> str | None:
    """Return the secret or token at the place that was named, None if none was; raises CommandError.

    A line end behind it is no part of it. What was given as its place is never repeated: it may be the value itself.
    """
    if (variable := options[f"{name}_env"]) is not None:
        place, value = f"--{name}-env", os.environ.get(variable)
        if value is None:
            raise CommandError(f"{place}: there is no such environment variable.")
    elif (path := options[f"{name}_file"]) is not None:
        place = f"--{name}-file"
        value = _read(place, path)
    else:
        return None
    value = value.rstrip("\r\n")
    if not value:
        raise CommandError(f"{place}: it is empty.")
    return value


def _read(place: str, path: str) -> str:
    try:
        if path == "-":
            content = sys.stdin.buffer.read(MAX_VALUE + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MAX_VALUE + 1)
    except (OSError, ValueError) as error:
        raise CommandError(f"{place}: it cannot be read: {type(error).__name__}") from None
    if len(content) > MAX_VALUE:
        raise CommandError(f"{place}: it is too long.")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise CommandError(f"{place}: it is not UTF-8.") from None


def duration(text: str) -> timedelta:
    """Read `90`, `90s`, `15m`, `12h` or `7d`: seconds, minutes, hours, days."""
    found = _DURATION.fullmatch(text)
    read = timedelta(seconds=int(found[1]) * _UNITS[found[2]]) if found else None
    if read is None or read.days > MAX_DAYS:
        raise ArgumentTypeError("must be a duration, such as 90s, 15m, 12h or 7d")
    return read


def number_of_days(text: str) -> int:
    """Read a number of days, a hundred years at most."""
    if (read := count(text)) > MAX_DAYS:
        raise ArgumentTypeError(f"must be {MAX_DAYS} days or less")
    return read


def count(text: str) -> int:
    """Read a whole number, one or more."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


def _json(members: Mapping[str, Any]) -> str:
    return json.dumps(members, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _text(outcome: CommandResult) -> str:
    if outcome.text is not None:
        return outcome.text
    return "\n".join(f"{name}: {shown(value)}" for name, value in outcome.members.items())


def shown(value: Any) -> str:
    """Return a value for people, with characters escaped that could control a terminal."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.isoformat()
        case list():
            return " ".join(map(shown, value))
        case Mapping():
            return _json(value)
    text = str(value)
    return text if text.isprintable() else json.dumps(text)


def _reasons(error: ValidationError) -> str:
    """Return the messages in one line, each with its field."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(
        message if name == NON_FIELD_ERRORS else f"{name}: {message}"
        for name, messages in error.message_dict.items()
        for message in messages
    )
