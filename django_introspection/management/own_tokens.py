"""The part of the command introspection_token that needs the tables: issue, revoke, inspect as a caller."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from ..authorization_server.answering import answer_for_caller
from ..authorization_server.client_sources import Rejection, client_by_id
from ..authorization_server.issuing import issue
from ..authorization_server.provisioning import get_client
from ..authorization_server.restoring import restore_all
from ..authorization_server.revoking import (
    CACHE_UNAVAILABLE,
    revoke_client_tokens,
    revoke_grant,
    revoke_token,
    revoke_user_tokens,
)
from ..backends.database import token_type
from ..conf import introspection_settings
from ..models import Token
from ..protocol.answer import Answer
from ..protocol.errors import IntrospectionUnavailable, UnauthorizedClient
from .base import UNAVAILABLE, CommandOptions, CommandResult, ScriptCommand, duration

WHO = "manage.py introspection_token"
"""The value of `revoked_by` for tokens that this command ends."""


def add_issue(command: ScriptCommand, commands: Any) -> None:
    """Add the sub-command that issues a token."""
    parser = command.add_command(commands, "issue", _issue, "Issue a token and print it, once.")
    parser.add_argument("--client", required=True, metavar="CLIENT_ID", help="the client that gets the token")
    parser.add_argument("--user", metavar="NAME", help="user name of the resource owner; none for a machine's token")
    parser.add_argument("--scope", default="", help="with one space between")
    parser.add_argument(
        "--audience", action="append", default=[], metavar="URI", help="a resource it is for; may be repeated"
    )
    parser.add_argument("--lifetime", type=duration, metavar="DURATION", help="of the access token, like 90s or 12h")
    parser.add_argument("--refresh", action="store_true", help="a refresh token beside it")


def add_revoke(command: ScriptCommand, commands: Any) -> None:
    """Add the sub-command that revokes tokens."""
    parser = command.add_command(commands, "revoke", _revoke, "Revoke tokens at once.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--token-id", type=_uuid, help="ID of a token (jti); a refresh token takes its grant with it")
    what.add_argument("--grant", type=_uuid, help="ID of a grant: all of its tokens")
    what.add_argument("--client", metavar="CLIENT_ID", help="all of the client's tokens")
    what.add_argument("--user", metavar="NAME", help="user name: all tokens that were issued for the user")


def add_restore_tombstones(command: ScriptCommand, commands: Any) -> None:
    """Add the sub-command that writes tombstones again."""
    text = "Write the tombstone of every revoked token again, after the cache of REVOCATIONS has lost its data."
    command.add_command(commands, "restore-tombstones", _restore_tombstones, text)


def endpoint_answer(token: str, client_id: str) -> Answer:
    """Return the answer of the introspection endpoint to a client, with the reason that is never sent.

    Raises CommandError if the endpoint refuses the client.
    """
    caller = client_by_id(client_id)
    if isinstance(caller, Rejection):
        why = "no source has a client with this ID that may call it" if caller.is_unknown else caller.reason
        raise CommandError(f"The endpoint does not authenticate this client: {why}.")
    try:
        return answer_for_caller(token, caller).sent
    except UnauthorizedClient as refusal:
        raise CommandError(f"The endpoint refuses this client: {refusal.description}") from None


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


def _revoke(options: CommandOptions) -> CommandResult:
    try:
        revoked = _revoke_chosen(options)
    except IntrospectionUnavailable:
        raise CommandError(str(CACHE_UNAVAILABLE), returncode=UNAVAILABLE) from None
    return CommandResult({"revoked": revoked}, f"Revoked: {revoked}")


def _revoke_chosen(options: CommandOptions) -> int:
    if token_id := options["token_id"]:
        return revoke_token(Token.objects.on_primary().get(pk=token_id), by=None, who=WHO)
    if grant_id := options["grant"]:
        return revoke_grant(grant_id, by=None, who=WHO)
    if client_id := options["client"]:
        return revoke_client_tokens(get_client(client_id), by=None, who=WHO)
    return revoke_user_tokens(_user(options["user"]), by=None, who=WHO)


def _restore_tombstones(options: CommandOptions) -> CommandResult:
    if introspection_settings.REVOCATIONS is None:
        raise CommandError("TOKEN_INTROSPECTION['REVOCATIONS'] is not set: there are no tombstones.")
    written = restore_all()
    return CommandResult({"tombstones": written}, f"Tombstones: {written}")


def _user(name: str) -> Any:
    return get_user_model()._default_manager.get_by_natural_key(name)


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise ArgumentTypeError("must be a UUID") from None
