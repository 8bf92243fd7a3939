"""Tokens on the command line: any project inspects them, and one with the tables issues and revokes them."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.core.management.base import CommandError, CommandParser

from ...protocol.answer import Active, Inactive
from ...protocol.introspection import render_response
from ...protocol.scope import parse_scope
from ...resource_server.acceptance import Trace
from ...resource_server.inspection import inspect_token
from ..base import INACTIVE, CommandOptions, CommandResult, ScriptCommand, add_value_arguments, read_value


class Command(ScriptCommand):
    """Inspect tokens, and with the tables of this package issue and revoke them.

    The value of a token is printed once, when it is issued, and never taken from the command line.
    """

    help = "Inspect tokens: what they mean here, and why they are rejected."
    examples: tuple[str, ...] = (
        "manage.py introspection_token inspect --token-env TOKEN --json",
        "manage.py introspection_token inspect --token-env TOKEN --using default --scope orders:write",
    )
    exit_codes = (
        "0 done, or the token is accepted; 1 refused, failed, or there is no such thing; 2 wrong usage; "
        "3 database, cache or authorization server unavailable; 4 the token is rejected, or lacks a scope of --scope"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if _has_tables():
            self.help = "Issue, inspect and revoke tokens."
            self.examples = (
                "manage.py introspection_token issue --client shop --scope orders:read --lifetime 10m",
                "manage.py introspection_token issue --client shop --user ada "
                "--audience https://api.example.com/orders --json",
                *self.examples,
                "manage.py introspection_token inspect --token-file - --caller orders-api < token.txt",
                "manage.py introspection_token revoke --user ada --json",
                "manage.py introspection_token revoke --client shop",
                "manage.py introspection_token restore-tombstones",
            )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the sub-commands; those that need tables, if there are any."""
        commands = parser.add_subparsers(dest="command", required=True)
        if _has_tables():
            from ..own_tokens import add_adopt, add_issue, add_restore_tombstones, add_revoke

            add_issue(self, commands)
            self._add_inspect(commands)
            add_revoke(self, commands)
            add_restore_tombstones(self, commands)
            add_adopt(self, commands)
        else:
            self._add_inspect(commands)

    def _add_inspect(self, commands: Any) -> None:
        text = "Print what a token means, and if it is rejected, why."
        parser = self.add_command(commands, "inspect", _inspect, text)
        add_value_arguments(parser, "token", "the token", required=True)
        parser.add_argument(
            "--scope", type=_scope, default=(), help="the scopes that a view needs, with one space between"
        )
        who = parser.add_mutually_exclusive_group()
        who.add_argument(
            "--using", default="default", metavar="ALIAS", help="the backend of the view in question; default"
        )
        if _has_tables():
            who.add_argument(
                "--caller", metavar="CLIENT_ID", help="show the answer of the introspection endpoint to this client"
            )


def _has_tables() -> bool:
    return apps.is_installed("django_introspection")


def _inspect(options: CommandOptions) -> CommandResult:
    token = read_value(options, "token") or ""
    if (client_id := options.get("caller")) is not None:
        return _inspect_at_endpoint(token, client_id, options["scope"])
    trace: Trace = []
    found = inspect_token(token, options["using"], scopes=options["scope"], trace=trace)
    if isinstance(found, Inactive):
        return _rejected(found, asked=[str(verdict) for verdict in trace])
    return CommandResult(render_response(Active(found.info)))


def _inspect_at_endpoint(token: str, client_id: str, scopes: Sequence[str]) -> CommandResult:
    from ..own_tokens import endpoint_answer

    if scopes:
        raise CommandError("--scope: it belongs to a view, and --caller to the introspection endpoint.")
    answer = endpoint_answer(token, client_id)
    return CommandResult(render_response(answer)) if answer else _rejected(answer)


def _rejected(answer: Inactive, **further: Any) -> CommandResult:
    members = {
        **render_response(answer),
        "reason": answer.reason,
        "expected": answer.expected,
        "found": answer.found,
        **further,
    }
    named = {name: value for name, value in members.items() if value not in ("", [])}
    return CommandResult(named, failure=f"The token is rejected: {answer}", exit_code=INACTIVE)


def _scope(value: str) -> tuple[str, ...]:
    try:
        return parse_scope(value)
    except ValueError:
        raise ArgumentTypeError("must be scopes with one space between") from None
