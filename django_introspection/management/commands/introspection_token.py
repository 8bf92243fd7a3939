"""Tokens on the command line."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from ...authorization_server.revoking import (
    revoke_client_tokens,
    revoke_grant,
    revoke_token,
    revoke_user_tokens,
)
from ...models import Client, Token
from ...protocol.errors import IntrospectionUnavailable

NOT_FOUND = 1
UNAVAILABLE = 3


class Command(BaseCommand):
    """Revoke tokens. Never prompts; the value of a token is not taken, because others see command lines."""

    help = (
        "Revoke tokens. Exit codes: 0 done, 1 there is no such thing, 2 wrong usage, 3 database or cache unavailable."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take `revoke` and what to revoke."""
        commands = parser.add_subparsers(dest="command", required=True)
        revoke = commands.add_parser("revoke", help="Revoke tokens at once.")
        what = revoke.add_mutually_exclusive_group(required=True)
        what.add_argument("--token-id", type=_uuid, help="ID of a token (jti); a refresh token takes its grant with it")
        what.add_argument("--grant", type=_uuid, help="ID of a grant: all of its tokens")
        what.add_argument("--client", help="client ID: all of the client's tokens")
        what.add_argument("--user", help="user name: all tokens that were issued for the user")
        revoke.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Revoke and say how many."""
        try:
            revoked = _revoke(options)
        except ObjectDoesNotExist as missing:
            raise CommandError(str(missing), returncode=NOT_FOUND) from None
        except (DatabaseError, IntrospectionUnavailable) as error:
            raise CommandError(_unavailable(error), returncode=UNAVAILABLE) from None
        self.stdout.write(json.dumps({"revoked": revoked}) if options["json"] else f"Revoked: {revoked}")


def _revoke(options: dict[str, Any]) -> int:
    if token_id := options["token_id"]:
        return revoke_token(Token.objects.on_primary().get(pk=token_id), by=None)
    if grant_id := options["grant"]:
        return revoke_grant(grant_id, by=None)
    if client_id := options["client"]:
        return revoke_client_tokens(Client.objects.get(client_id=client_id), by=None)
    return revoke_user_tokens(get_user_model()._default_manager.get_by_natural_key(options["user"]), by=None)


def _unavailable(error: Exception) -> str:
    if isinstance(error, IntrospectionUnavailable):
        return "Revoked, but the cache of revocations does not answer: kept answers live on. Run it again."
    return f"The database does not answer: {type(error).__name__}"


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise ArgumentTypeError("a UUID is expected") from None
