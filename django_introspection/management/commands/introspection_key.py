"""Make a signing key."""

from __future__ import annotations

import json
import os
from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.views.decorators.debug import sensitive_variables

from ...jose import KeyProblem, generate_signing_key
from ...protocol.jwt import SIGNING_ALGORITHMS

EXAMPLE = """\
example:
  manage.py introspection_key --alg ES256 --output /etc/shop/signing.pem

  TOKEN_INTROSPECTION = {"KEYS": [{"FILE": "/etc/shop/signing.pem"}]}
"""


class Command(BaseCommand):
    """Print a private key, or write it to a file of its own that only its owner can read."""

    help = "Make a private key for TOKEN_INTROSPECTION['KEYS']."
    requires_system_checks = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Keep the lines of the example."""
        return super().create_parser(
            prog_name, subcommand, epilog=EXAMPLE, formatter_class=RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the algorithm, the form and the place."""
        parser.add_argument("--alg", choices=SIGNING_ALGORITHMS, default="ES256", help="ES256 by default")
        parser.add_argument("--json", action="store_true", help="a JWK, which says its alg and kid; PEM by default")
        parser.add_argument("--output", type=Path, help="a file that does not exist yet; it gets the mode 0600")

    @sensitive_variables("key", "text")
    def handle(self, *args: Any, **options: Any) -> None:
        """Make the key."""
        try:
            key = generate_signing_key(options["alg"])
        except KeyProblem as problem:
            raise CommandError(str(problem)) from None
        text = json.dumps(key.private_jwk, indent=2) if options["json"] else key.private_pem.strip()
        if options["output"] is None:
            self.stdout.write(text)
            return
        _write(options["output"], f"{text}\n")
        self.stderr.write(f"{options['output']}: {key.alg}, kid {key.kid}")


@sensitive_variables("text")
def _write(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(f"{path} exists already, and a key is never overwritten.") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
