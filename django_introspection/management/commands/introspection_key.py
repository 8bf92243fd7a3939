"""Make and list signing keys."""

from __future__ import annotations

import json
import os
from pathlib import Path

from django.core.management.base import CommandError, CommandParser

from ...jose import KeyProblem, generate_signing_key
from ...keys import signing_keys
from ...protocol.jwt import SIGNING_ALGORITHMS
from ..base import CommandOptions, CommandResult, ScriptCommand


class Command(ScriptCommand):
    """Make private keys for the setting SIGNING_KEYS, and list the ones that are there."""

    help = "Make a private key for TOKEN_INTROSPECTION['SIGNING_KEYS'], or list the keys that it names."
    requires_system_checks = ()
    examples = (
        "manage.py introspection_key generate --alg ES256 --output signing.pem",
        "manage.py introspection_key generate --json > signing.jwk",
        "manage.py introspection_key list --json",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the sub-command."""
        commands = parser.add_subparsers(dest="command", required=True)
        generate = self.add_command(
            commands, "generate", _generate, "Print a private key, or write it to a file that only its owner can read."
        )
        generate.add_argument("--alg", choices=SIGNING_ALGORITHMS, default="ES256", help="ES256 by default")
        generate.add_argument(
            "--output", type=Path, metavar="PATH", help="a file that does not exist yet; it gets the mode 0600"
        )
        self.add_command(
            commands, "list", _list, "List the keys of this server: the first one signs. Fails where one is unusable."
        )


def _generate(options: CommandOptions) -> CommandResult:
    """Make a key: PEM, or with --json a JWK, which says its alg and kid."""
    try:
        key = generate_signing_key(options["alg"])
    except KeyProblem as problem:
        raise CommandError(str(problem)) from None
    text = json.dumps(key.private_jwk, indent=2) if options["json"] else key.private_pem.strip()
    output = options["output"]
    if output is None:
        return CommandResult(key.private_jwk, text)
    _write(output, f"{text}\n")
    return CommandResult({"file": str(output), "alg": key.alg, "kid": key.kid})


def _list(options: CommandOptions) -> CommandResult:
    keys = signing_keys()
    lines = [f"{key.kid}\t{key.alg}\t{'published' if number else 'signs'}" for number, key in enumerate(keys)]
    return CommandResult({"keys": [key.public_jwk for key in keys]}, "\n".join(lines))


def _write(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(f"{path} exists already, and a key is never overwritten.") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
