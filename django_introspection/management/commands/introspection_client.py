"""Clients on the command line."""

from __future__ import annotations

from argparse import Action, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...authorization_server.ending import are_caches_behind, follow_state
from ...authorization_server.provisioning import get_client, provision, rotate_secret
from ...authorization_server.purposes import Purpose
from ...conf import introspection_settings
from ...models import AccessTokenFormat, AuthMethod, Client, ClientSecret, GrantType, IntrospectionPolicy
from ...models.certificates import CertificateNameKind
from ...models.fields import now
from ...protocol.certificate import MalformedCertificate, read_pem, thumbprint_of
from ...protocol.jwt import SIGNING_ALGORITHMS
from ..base import (
    UNAVAILABLE,
    CommandOptions,
    CommandResult,
    ScriptCommand,
    add_value_arguments,
    duration,
    read_value,
    shown,
)

METADATA = (
    "client_name", "scope", "allowed_resources", "resources", "resource_scopes", "introspection_policy",
    "token_endpoint_auth_method", "jwks_uri", "access_token_format", "dpop_bound_access_tokens",
    "authorization_details_types", "may_impersonate",
    "introspection_signed_response_alg",
    "certificate_name_kind", "certificate_name", "certificate_thumbprints",
    "tls_client_certificate_bound_access_tokens",
)  # fmt: skip
SHOWN = (
    "client_id", "is_active", "grant_types", *METADATA, "access_token_lifetime", "refresh_token_lifetime",
    "introspection_encrypted_response_alg", "introspection_encrypted_response_enc",
)  # fmt: skip

CACHES_BEHIND = (
    "The client was changed, but the cache of revocations does not answer: cached answers and JWTs do not follow yet. "
    "Run the command again when the cache answers."
)


class Command(ScriptCommand):
    """Register clients, look at them, rotate their secrets, disable and enable them."""

    help = "Register and manage clients. A generated secret is printed once. A secret is never taken as an argument."
    examples = (
        "manage.py introspection_client create --client-id orders-api --resource https://api.example.com/orders",
        "manage.py introspection_client create --client-id shop --purpose machine --scope 'orders:read orders:write'"
        " --allowed-resource https://api.example.com/orders --json",
        "manage.py introspection_client create --client-id billing --secret-env BILLING_SECRET",
        "manage.py introspection_client create --client-id billing --secret-file billing-secret.txt",
        "manage.py introspection_client list --json",
        "manage.py introspection_client show orders-api",
        "manage.py introspection_client rotate orders-api --expire-others-in 7d",
        "manage.py introspection_client disable shop",
        "manage.py introspection_client enable shop",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the sub-command."""
        commands = parser.add_subparsers(dest="command", required=True)
        self._add_create(commands)
        self.add_command(commands, "list", _list, "List the clients.")
        for name, perform, text in (
            ("show", _show, "Show a client and the state of its secrets, never their values."),
            (
                "disable",
                _disable,
                "Disable a client: it cannot authenticate, and its tokens are inactive until it is enabled.",
            ),
            ("enable", _enable, "Enable a client that was disabled."),
        ):
            self.add_command(commands, name, perform, text).add_argument("client_id")
        rotate = self.add_command(commands, "rotate", _rotate, "Add a secret beside the live ones.")
        rotate.add_argument("client_id")
        add_value_arguments(rotate, "secret", "a secret made elsewhere")
        rotate.add_argument(
            "--expire-others-in", type=duration, metavar="DURATION", help="when the other secrets expire, like 7d"
        )

    def _add_create(self, commands: Any) -> None:
        parser = self.add_command(
            commands,
            "create",
            _create,
            "Register a client. With a secret made elsewhere, running it twice changes nothing.",
        )
        parser.add_argument("--client-id", help="generated if not given")
        parser.add_argument("--client-name", help="a name to show people; the client ID by default")
        parser.add_argument(
            "--purpose",
            choices=Purpose.values,
            help="default: resource-server if --resource is given, otherwise machine",
        )
        parser.add_argument(
            "--grant-type", dest="grant_types", action="append", choices=GrantType.values,
            help="a grant that the client may use, instead of those of its purpose; may be repeated",
        )  # fmt: skip
        parser.add_argument(
            "--may-impersonate", action="store_const", const=True,
            help="a token exchange of the client needs no actor and records none",
        )  # fmt: skip
        parser.add_argument("--scope", help="scopes that the client may request, separated by spaces")
        parser.add_argument(
            "--allowed-resource", dest="allowed_resources", action="append", metavar="URI",
            help="a resource that the client may request tokens for; may be repeated",
        )  # fmt: skip
        parser.add_argument(
            "--authorization-details-type", dest="authorization_details_types", action="append", metavar="TYPE",
            help="a type of authorization details that the client may request; may be repeated",
        )  # fmt: skip
        parser.add_argument(
            "--resource", dest="resources", action="append", metavar="URI",
            help="a resource that the client serves: it may introspect the tokens for it; may be repeated",
        )  # fmt: skip
        parser.add_argument(
            "--resource-scope", dest="resource_scopes", metavar="SCOPE", help="scopes that its resources understand"
        )
        parser.add_argument("--introspection-policy", choices=IntrospectionPolicy.values)
        parser.add_argument("--token-endpoint-auth-method", choices=AuthMethod.values)
        parser.add_argument("--jwks-uri", metavar="URL", help="the URL of its public keys, for private_key_jwt")
        parser.add_argument("--access-token-format", choices=AccessTokenFormat.values)
        parser.set_defaults(certificate_name_kind=None)
        name = parser.add_mutually_exclusive_group()
        for kind in CertificateNameKind:
            name.add_argument(
                f"--{kind.value.replace('_', '-')}", dest="certificate_name", metavar="NAME", action=_NameOfCertificate,
                const=kind.value, help="the name by which its certificate is recognized, for tls_client_auth",
            )  # fmt: skip
        parser.add_argument(
            "--certificate", dest="certificate_thumbprints", action="append", metavar="FILE", type=_thumbprint_of_file,
            help="its certificate in PEM, for self_signed_tls_client_auth; may be repeated",
        )  # fmt: skip
        parser.add_argument(
            "--tls-client-certificate-bound-access-tokens", action="store_const", const=True,
            help="the client gets tokens only with a TLS certificate, bound to this certificate",
        )  # fmt: skip
        parser.add_argument(
            "--dpop-bound-access-tokens", action="store_const", const=True,
            help="the client gets tokens only with a DPoP proof, bound to the key of the proof",
        )  # fmt: skip
        parser.add_argument(
            "--introspection-signed-response-alg", choices=SIGNING_ALGORITHMS,
            help="the algorithm that signs introspection responses to this client",
        )  # fmt: skip
        add_value_arguments(parser, "secret", "a secret made elsewhere, of 32 characters or more")


class _NameOfCertificate(Action):
    """Keep a name and, in another option, its kind."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        namespace.certificate_name, namespace.certificate_name_kind = values, self.const


def _thumbprint_of_file(path: str) -> str:
    try:
        return thumbprint_of(read_pem(Path(path).read_text()))
    except (OSError, UnicodeDecodeError):
        raise ArgumentTypeError("must be a file that can be read") from None
    except MalformedCertificate as problem:
        raise ArgumentTypeError(f"must be a certificate in PEM: {problem}") from None


def _create(options: CommandOptions) -> CommandResult:
    metadata = {name: options[name] for name in METADATA if options[name] is not None}
    default = Purpose.RESOURCE_SERVER if options["resources"] else Purpose.MACHINE
    purpose = Purpose(options["purpose"] or default)
    if purpose.serves and not metadata.keys() & {"resources", "introspection_policy"}:
        raise CommandError(
            "A resource server needs --resource: it may introspect the tokens for the resources that it serves."
        )
    defaults = {"client_name": options["client_id"] or "", "grant_types": purpose.grant_types}
    if options["purpose"] or options["grant_types"]:
        metadata["grant_types"] = options["grant_types"] or defaults["grant_types"]
    secret = read_value(options, "secret")
    done = provision(options["client_id"], secret, defaults, **metadata)
    members = {"result": done.change, **_metadata(done.client)}
    if done.generated_secret is not None:
        members |= {"client_secret": done.generated_secret, "client_secret_expires_at": 0}
    return CommandResult(members, warning=_encoding_warning(secret))


def _list(options: CommandOptions) -> CommandResult:
    clients = list(Client.objects.order_by("client_id"))
    lines = [
        "\t".join(map(shown, (each.client_id, "active" if each.is_active else "disabled", each.client_name)))
        for each in clients
    ]
    return CommandResult({"clients": [_metadata(client) for client in clients]}, "\n".join(lines))


def _show(options: CommandOptions) -> CommandResult:
    client = get_client(options["client_id"])
    members, secrets = _metadata(client), [_secret(secret) for secret in client.secrets.order_by("pk")]
    lines = [f"{name}: {shown(value)}" for name, value in members.items()]
    lines += ["secret: " + ", ".join(f"{name} {shown(value)}" for name, value in secret.items()) for secret in secrets]
    return CommandResult({**members, "secrets": secrets}, "\n".join(lines))


def _rotate(options: CommandOptions) -> CommandResult:
    client, provisioned = get_client(options["client_id"]), read_value(options, "secret")
    expire_in = options["expire_others_in"]
    expire_at = None if expire_in is None else now() + expire_in
    secret = rotate_secret(client, provisioned, others_expire_at=expire_at)
    members: dict[str, Any] = {"client_id": client.client_id}
    if provisioned is None:
        members["client_secret"] = secret
    members |= {"client_secret_expires_at": 0, "others_expire_at": expire_at}
    return CommandResult(members, warning=_encoding_warning(provisioned))


def _encoding_warning(secret: str | None) -> str:
    """Return what an operator must know about a secret that form-decoding changes (RFC 6749 §2.3.1)."""
    if named := " and ".join(sign for sign in "%+" if sign in (secret or "")):
        return (
            f"The secret contains {named}, which clients must form-encode in the Basic header (RFC 6749 §2.3.1). "
            "This server also accepts it as it is; other servers may not. Hexadecimal digits need no encoding."
        )
    return ""


def _disable(options: CommandOptions) -> CommandResult:
    return _activate(options, active=False)


def _enable(options: CommandOptions) -> CommandResult:
    return _activate(options, active=True)


def _activate(options: CommandOptions, *, active: bool) -> CommandResult:
    client = get_client(options["client_id"])
    changed = client.is_active != active
    if changed or not active:  # to disable again writes the tombstones that a process which died did not
        client.is_active = active
        client.save(update_fields=["is_active"])
    elif introspection_settings.REVOCATIONS is not None:  # the cache may not have answered the first time
        follow_state("client", client.pk, str(client._state.db))
    members = {"client_id": client.client_id, "is_active": active, "result": "changed" if changed else "unchanged"}
    failure = CACHES_BEHIND if are_caches_behind() else ""  # a process that ends cannot write them later
    return CommandResult(members, failure=failure, exit_code=UNAVAILABLE)


def _metadata(client: Client) -> dict[str, Any]:
    """Return what is registered, by the names of RFC 7591 §2 and of our own fields."""
    members = {field: getattr(client, field) for field in SHOWN}
    return {**members, "client_id_issued_at": client.created_at}


def _secret(secret: ClientSecret) -> dict[str, Any]:
    return {
        "hint": secret.hint,
        "created_at": secret.created_at,
        "expires_at": secret.expires_at,
        "last_used_at": secret.last_used_at,
        "is_live": secret.is_live(now()),
    }
