"""The world in which inputs are valid: a moment that does not pass, fixed keys, and a database with known tokens.

An input that was found by one process means the same in the next one.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any

import django
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from joserfc.jwk import ECKey, Key, OKPKey

from tests import jose

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
JWT_ISSUER = "https://id.example.com"
PASSWORD = "the-secret-of-a-client-in-the-fuzzed-project"


def begin() -> None:
    """Stop the clock, fix what is random, and start Django; called once in a process, before the package is used."""
    time_machine.travel(NOW, tick=False).start()
    secrets.randbits = Random(7662).getrandbits  # noqa: S311 - the same tokens in each process
    jose._key = _key
    django.setup()


@cache
def _key(kind: str, name: str) -> Key:
    """Return the key of this kind and name, the same in each process."""
    number = int.from_bytes(name.encode())
    if kind == "ES256":
        return ECKey.import_key(ec.derive_private_key(number, ec.SECP256R1()))
    if kind in ("EdDSA", "Ed25519"):
        return OKPKey.import_key(ed25519.Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big")))
    raise LookupError(f"no fixed key of the kind {kind}")


@dataclass(frozen=True)
class Known:
    """What is in the database: two clients, and tokens of one of them."""

    machine: str
    server: str
    access: str
    bound: str
    refresh: str
    revoked: str
    expired: str

    @property
    def open_tokens(self) -> frozenset[str]:
        """The tokens that open a view without a proof."""
        return frozenset({self.access})

    @property
    def active_tokens(self) -> frozenset[str]:
        """The tokens that an introspection may call active."""
        return frozenset({self.access, self.bound, self.refresh})


@cache
def known() -> Known:
    """Make the database and return what is in it."""
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    found = _fill()
    connection.ensure_connection()
    _template.backup_of(connection.connection)
    return found


def _fill() -> Known:
    from django_introspection.models import Client, GrantType, Token
    from tests.settings import AUDIENCE

    rights = {"scope": "orders:read orders:write", "allowed_resources": [AUDIENCE]}
    machine = Client.objects.register(
        client_id="machine",
        client_name="Machine",
        client_secret=PASSWORD,
        grant_types=[GrantType.CLIENT_CREDENTIALS, GrantType.REFRESH_TOKEN, GrantType.TOKEN_EXCHANGE],
        introspection_policy="own",
        **rights,
    ).client
    server = Client.objects.register(
        client_id="server",
        client_name="Server",
        client_secret=f"{PASSWORD}-2",
        resources=[AUDIENCE],
        resource_scopes="orders:read",
    ).client
    Client.objects.register(
        client_id="signing",
        client_name="Signing",
        token_endpoint_auth_method="private_key_jwt",
        jwks={"keys": [jose.public("ES256", "one", kid="one")]},
        grant_types=[GrantType.CLIENT_CREDENTIALS],
        **rights,
    )
    grant: dict[str, Any] = {"client": machine, "scope": "orders:read", "audience": [AUDIENCE]}
    issue = Token.objects.issue
    both = issue(**grant, refresh=True)
    bound = issue(**grant, members={"cnf": {"jkt": jose.thumbprint("ES256", "one")}})
    revoked, expired = issue(**grant), issue(**grant)
    Token.objects.filter(pk=revoked.token.pk).update(revoked_at=SECONDS - 60)
    Token.objects.filter(pk=expired.token.pk).update(expires_at=SECONDS - 60)
    return Known(
        machine.client_id,
        server.client_id,
        both.access_token,
        bound.access_token,
        both.refresh_token or "",
        revoked.access_token,
        expired.access_token,
    )


class _Template:
    """The database as it was made; a request that changed it costs a copy."""

    def backup_of(self, live: Any) -> None:
        import sqlite3

        self._live, self._copy = live, sqlite3.connect(":memory:")
        live.backup(self._copy)
        self._changes = live.total_changes

    def restore(self) -> bool:
        """Undo all changes and return whether there were any."""
        if self._live.total_changes == self._changes:
            return False
        self._copy.backup(self._live)
        self._changes = self._live.total_changes
        return True


_template = _Template()


def restore() -> bool:
    """Empty the cache, undo the changes of the database, and return whether there were any."""
    from django.core.cache import cache as django_cache

    django_cache.clear()
    return _template.restore()


def basic(client_id: str, secret: str = PASSWORD) -> str:
    return f"Basic {base64.b64encode(f'{client_id}:{secret}'.encode()).decode()}"
