"""The patterns by which secret scanners find the tokens and client secrets of this deployment."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Mapping

from django.core.management.base import CommandParser

from ...conf import introspection_settings
from ...leaks import patterns
from ...protocol.opaque import prefix_problem
from ..base import CommandOptions, CommandResult, ScriptCommand

FORMATS = ("gitleaks", "github")


class Command(ScriptCommand):
    """Write rules for gitleaks, or the fields of custom patterns of GitHub."""

    help = "Print patterns for secret scanners, with the prefix of TOKEN_INTROSPECTION['TOKEN_PREFIX']."
    requires_system_checks = ()
    examples = (
        "manage.py introspection_patterns > .gitleaks.toml",
        "manage.py introspection_patterns --format github --json",
        "manage.py introspection_patterns --former-prefix dit",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the format and further prefixes."""
        self.performed_by(parser, _print)
        parser.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="gitleaks by default")
        parser.add_argument(
            "--former-prefix",
            type=_prefix,
            action="append",
            default=[],
            metavar="PREFIX",
            help="a prefix whose values may still be valid; may be repeated",
        )


def _print(options: CommandOptions) -> CommandResult:
    prefixes = list(dict.fromkeys([introspection_settings.TOKEN_PREFIX.text, *options["former_prefix"]]))
    fields = patterns.github(prefixes)
    if options["format"] == "github":
        return CommandResult({"patterns": fields}, "\n\n".join(map(_lines, fields)))
    rules = patterns.gitleaks(prefixes)
    return CommandResult({"rules": rules}, rules.rstrip("\n"))


def _lines(fields: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in fields.items())


def _prefix(value: str) -> str:
    if problem := prefix_problem(value):
        raise ArgumentTypeError(problem)
    return value
