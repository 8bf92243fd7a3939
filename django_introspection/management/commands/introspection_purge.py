"""Delete what has expired."""

from __future__ import annotations

import time

from django.core.management.base import CommandParser

from ...authorization_server.purging import BATCH, beside_tokens, expired, purge
from ...models import ClientSecret, Token
from ...models.fields import now
from ..base import CommandOptions, CommandResult, ScriptCommand, count, duration


class Command(ScriptCommand):
    """Delete expired tokens, and expired client secrets if requested."""

    help = (
        "Delete expired tokens in small transactions. It can be stopped at any moment and run again. "
        "A used refresh token stays until it expires itself."
    )
    examples = (
        "manage.py introspection_purge",
        "manage.py introspection_purge --older-than 30d --max-seconds 60 --json",
        "manage.py introspection_purge --client-secrets --dry-run",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to delete and how much at once."""
        self.performed_by(parser, _purge)
        parser.add_argument(
            "--older-than", type=duration, default="0", metavar="DURATION", help="expired for this long, like 30d; 0"
        )
        parser.add_argument("--batch", type=count, default=BATCH, help=f"rows of one transaction; {BATCH}")
        parser.add_argument("--max-seconds", type=count, help="begin no batch after this time")
        parser.add_argument("--client-secrets", action="store_true", help="expired client secrets as well")
        parser.add_argument("--dry-run", action="store_true", help="count, and delete nothing")


def _purge(options: CommandOptions) -> CommandResult:
    before = now() - options["older_than"]
    beside = {model._meta.label: find(before) for model, find in beside_tokens.items()}
    rows = {"tokens": expired(Token, before)}
    if options["client_secrets"]:
        rows["client_secrets"] = expired(ClientSecret, before)
    if options["dry_run"]:
        return CommandResult({**{name: each.count() for name, each in rows.items()}, "complete": False})
    start, limit = time.monotonic(), options["max_seconds"]
    deleted = dict.fromkeys(rows, 0)
    for name, each in (beside | rows).items():
        for number in purge(each, batch=options["batch"]):
            if name in deleted:
                deleted[name] += number
            if limit is not None and time.monotonic() - start >= limit:
                return CommandResult({**deleted, "complete": False})
    return CommandResult({**deleted, "complete": True})
