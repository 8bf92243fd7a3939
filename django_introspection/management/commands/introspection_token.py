"""Tokens on the command line."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser
from django.views.decorators.debug import sensitive_variables

from ...authorization_server import policy
from ...authorization_server.issuing import issue
from ...authorization_server.provisioning import get_client
from ...authorization_server.revoking import (
    revoke_client_tokens,
    revoke_grant,
    revoke_token,
    revoke_user_tokens,
)
from ...backends.database import answer_for_token, token_type
from ...models import IntrospectionPolicy, Token
from ...protocol.answer import Answer
from ...protocol.errors import IntrospectionUnavailable
from ...protocol.introspection import render_response
from ...resource_server.acceptance import validate
from ..base import (
    INACTIVE,
    UNAVAILABLE,
    CommandOptions,
    CommandResult,
    ScriptCommand,
    add_value_arguments,
    duration,
    read_value,
)

WHO = "manage.py introspection_token"
"""What `revoked_by` says of tokens that this command ends."""


class Command(ScriptCommand):
    """Issue, inspect and revoke tokens; the value of one is printed once and never taken from the command line."""

    help = "Issue, inspect and revoke tokens."
    examples = (
        "manage.py introspection_token issue --client shop --scope orders:read --lifetime 10m",
        "manage.py introspection_token issue --client shop --user ada --audience https://api.example.com/orders --json",
        "manage.py introspection_token inspect --token-env TOKEN --json",
        "manage.py introspection_token inspect --token-file - --caller orders-api < token.txt",
        "manage.py introspection_token revoke --user ada --json",
        "manage.py introspection_token revoke --client shop",
    )
    exit_codes = (
        "0 done, or the token is active; 1 refused, failed, or there is no such thing; 2 wrong usage; "
        "3 database, cache or authorization server unavailable; 4 the token is not active"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the sub-command."""
        commands = parser.add_subparsers(dest="command", required=True)
        self._add_issue(commands)
        self._add_inspect(commands)
        self._add_revoke(commands)

    def _add_issue(self, commands: Any) -> None:
        parser = self.add_command(commands, "issue", _issue, "Issue a token and print it, once.")
        parser.add_argument("--client", required=True, metavar="CLIENT_ID", help="for whom")
        parser.add_argument(
            "--user", metavar="NAME", help="user name of the resource owner; none for a machine's token"
        )
        parser.add_argument("--scope", default="", help="with one space between")
        parser.add_argument(
            "--audience", action="append", default=[], metavar="URI", help="a resource it is for; may be repeated"
        )
        parser.add_argument(
            "--lifetime", type=duration, metavar="DURATION", help="of the access token, like 90s or 12h"
        )
        parser.add_argument("--refresh", action="store_true", help="a refresh token beside it")

    def _add_inspect(self, commands: Any) -> None:
        parser = self.add_command(
            commands, "inspect", _inspect, "Say what a token means, and if it is not active, why."
        )
        add_value_arguments(parser, "token", "the token", required=True)
        who = parser.add_mutually_exclusive_group()
        who.add_argument(
            "--using", default="default", metavar="ALIAS", help="as a view that asks this backend judges it; default"
        )
        who.add_argument("--caller", metavar="CLIENT_ID", help="what the introspection endpoint would tell this client")

    def _add_revoke(self, commands: Any) -> None:
        parser = self.add_command(commands, "revoke", _revoke, "Revoke tokens at once.")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--token-id", type=_uuid, help="ID of a token (jti); a refresh token takes its grant with it")
        what.add_argument("--grant", type=_uuid, help="ID of a grant: all of its tokens")
        what.add_argument("--client", metavar="CLIENT_ID", help="all of the client's tokens")
        what.add_argument("--user", metavar="NAME", help="user name: all tokens that were issued for the user")


@sensitive_variables("issued", "members")
def _issue(options: CommandOptions) -> CommandResult:
    """Return the members of a token response (RFC 6749 §5.1), and the name of the token."""
    issued = issue(
        client=get_client(options["client"]),
        user=None if options["user"] is None else _user(options["user"]),
        scope=options["scope"],
        audience=options["audience"],
        lifetime=options["lifetime"],
        refresh=options["refresh"],
    )
    members = {
        "access_token": issued.access_token,
        "token_type": token_type(issued.token),
        "expires_in": issued.expires_in,
        "refresh_token": issued.refresh_token,
        "scope": issued.scope,
        "jti": issued.token.pk,
    }
    return CommandResult({name: value for name, value in members.items() if value is not None})


@sensitive_variables("token")
def _inspect(options: CommandOptions) -> CommandResult:
    token = read_value(options, "token") or ""
    answer = validate(token, options["using"]) if options["caller"] is None else _told(token, options["caller"])
    if answer:
        return CommandResult(render_response(answer))
    failure = f"The token is not active: {answer.reason}"
    return CommandResult({**render_response(answer), "reason": answer.reason}, failure=failure, exit_code=INACTIVE)


@sensitive_variables("token")
def _told(token: str, client_id: str) -> Answer:
    """Return what the introspection endpoint tells a client, with the reason that it keeps to itself."""
    caller = get_client(client_id)
    if not caller.is_active or caller.introspection_policy == IntrospectionPolicy.NONE:
        raise CommandError("The endpoint refuses this client: it is not active, or may not introspect tokens.")
    return policy.filter_members(policy.visible_answer(answer_for_token(token), caller), caller)


def _revoke(options: CommandOptions) -> CommandResult:
    try:
        revoked = _revoke_chosen(options)
    except IntrospectionUnavailable:
        unavailable = "Revoked, but the cache of revocations does not answer: kept answers live on. Run it again."
        raise CommandError(unavailable, returncode=UNAVAILABLE) from None
    return CommandResult({"revoked": revoked}, f"Revoked: {revoked}")


def _revoke_chosen(options: CommandOptions) -> int:
    if token_id := options["token_id"]:
        return revoke_token(Token.objects.on_primary().get(pk=token_id), by=None, who=WHO)
    if grant_id := options["grant"]:
        return revoke_grant(grant_id, by=None, who=WHO)
    if client_id := options["client"]:
        return revoke_client_tokens(get_client(client_id), by=None, who=WHO)
    return revoke_user_tokens(_user(options["user"]), by=None, who=WHO)


def _user(name: str) -> Any:
    return get_user_model()._default_manager.get_by_natural_key(name)


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise ArgumentTypeError("a UUID is expected") from None
