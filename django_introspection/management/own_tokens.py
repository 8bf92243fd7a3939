"""The part of the command introspection_token that needs the tables: issue, revoke, inspect as a caller."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any
from uuid import UUID

from django.apps import apps
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
from ..backends.inspecting import inspecting
from ..conf import introspection_settings
from ..models import Token
from ..protocol.answer import Answer
from ..protocol.errors import IntrospectionUnavailable, UnauthorizedClient
from .base import UNAVAILABLE, CommandOptions, CommandResult, ScriptCommand, duration

NOT_ADOPTED = {
    name: f"The tokens of {package} cannot be copied: it stores SHA-512 digests, and this app SHA-256 digests, which "
    "only the values themselves give. Leave them in its table, and let them expire."
    for name, package in (("knox", "django-rest-knox"), ("api-keys", "djangorestframework-api-key"))
}
"""Why the tokens of some packages stay where they are."""
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


def add_adopt(command: ScriptCommand, commands: Any) -> None:
    """Add the sub-command that copies the tokens of another package."""
    text = "Copy the tokens of rest_framework.authtoken into the table of this app, where they are stored hashed."
    parser = command.add_command(commands, "adopt", _adopt, text)
    parser.add_argument("--from", required=True, choices=("authtoken", *NOT_ADOPTED), dest="source", help="the package")
    parser.add_argument("--client", metavar="CLIENT_ID", help="the client that the tokens belong to from then on")
    parser.add_argument("--scope", default="", help="what each token may do, with one space between")
    parser.add_argument(
        "--audience", action="append", default=[], metavar="URI", help="a resource they are for; may be repeated"
    )
    parser.add_argument("--lifetime", type=duration, metavar="DURATION", help="from now on, like 12h or 365d")
    parser.add_argument(
        "--remove-originals",
        action="store_true",
        help="copy nothing, and delete the tokens there that have a copy here",
    )


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
        with inspecting():
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
        token = Token.objects.on_primary().filter(pk=token_id).first()
        if token is None:
            raise Token.DoesNotExist("The token does not exist.")
        return revoke_token(token, by=None, who=WHO)
    if grant_id := options["grant"]:
        return revoke_grant(grant_id, by=None, who=WHO)
    if client_id := options["client"]:
        return revoke_client_tokens(get_client(client_id), by=None, who=WHO)
    return revoke_user_tokens(_user(options["user"]), by=None, who=WHO)


def _adopt(options: CommandOptions) -> CommandResult:
    if reason := NOT_ADOPTED.get(options["source"]):
        raise CommandError(reason)
    if not apps.is_installed("rest_framework.authtoken"):
        raise CommandError("rest_framework.authtoken is not in INSTALLED_APPS.")
    from ..contrib.adopting import adopt, remove_originals

    if options["remove_originals"]:
        removed = remove_originals()
        return CommandResult({"removed": removed}, f"Removed: {removed}")
    if options["client"] is None or options["lifetime"] is None:
        raise CommandError("--client and --lifetime are required: each token of this app has a client and an expiry.")
    adopted = adopt(
        client=get_client(options["client"]),
        scope=options["scope"],
        audience=options["audience"],
        lifetime=options["lifetime"],
    )
    text = f"Copied: {adopted.copied}\nHad a copy: {adopted.known}"
    return CommandResult({"copied": adopted.copied, "known": adopted.known}, text)


def _restore_tombstones(options: CommandOptions) -> CommandResult:
    if introspection_settings.REVOCATIONS is None:
        raise CommandError("TOKEN_INTROSPECTION['REVOCATIONS'] is not set: there are no tombstones.")
    members = {"tombstones": restore_all()}
    if apps.is_installed("django_introspection.security_events"):
        from ..security_events.restoring import restore_cut_offs

        members["cut_offs"] = restore_cut_offs()
    texts = {"tombstones": "Tombstones", "cut_offs": "Cut-offs"}
    return CommandResult(members, "\n".join(f"{texts[name]}: {written}" for name, written in members.items()))


def _user(name: str) -> Any:
    model = get_user_model()
    try:
        return model._default_manager.get_by_natural_key(name)
    except model.DoesNotExist:
        raise model.DoesNotExist("The user does not exist.") from None


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise ArgumentTypeError("must be a UUID") from None
