"""Clients of allauth's identity provider as clients of our introspection endpoint."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from allauth.idp.oidc import app_settings
from allauth.idp.oidc import models as oidc
from django.core.checks import CheckMessage
from django.db import Error as DatabaseError
from django.db import connections, router
from django.http import HttpRequest
from django.utils import timezone

from ...addresses import client_address
from ...authorization_server.client_sources import (
    UNKNOWN_CLIENT,
    ClientResult,
    ClientSource,
    Rejection,
    client_with_policy,
    with_policy,
)
from ...check_messages import error
from ...models import Client
from ...protocol.answer import Answer, Inactive, Reason
from ...protocol.credentials import SecretCredentials
from ...protocol.errors import database_failure
from ..hashed_secrets import HashedSecrets, is_hashed
from .tokens import describe_allauth_token, first, tokens


class AllauthClients(ClientSource):
    """Confidential clients with the identifiers, secrets and tokens that they have. Public ones are no callers."""

    def __init__(self) -> None:
        self._secrets = HashedSecrets()

    def by_secret(self, request: HttpRequest, credentials: SecretCredentials) -> ClientResult:
        """Look with one statement; which methods there are is allauth's INTROSPECTION_AUTH_METHODS."""
        row = _confidential_client(credentials.client_id)
        if row is None or credentials.method not in _methods():
            return UNKNOWN_CLIENT
        stored = row.secret if is_hashed(row.secret) else ""
        address = client_address(request)
        if not self._secrets.is_right(credentials.client_secret, stored, client_id=row.id, address=address):
            return Rejection("wrong secret")
        return client_with_policy(row, row.id, _key(row))

    def by_id(self, client_id: str) -> ClientResult:
        """Look with one statement."""
        row = _confidential_client(client_id)
        return UNKNOWN_CLIENT if row is None else client_with_policy(row, row.id, _key(row))

    def key_of(self, client_id: str) -> str | None:
        """Return the identifier with the moment of creation, which no later client has."""
        row = _client(client_id)
        return None if row is None else _key(row)

    def by_token(self, token: str) -> tuple[Client | None, Answer]:
        """Find the token and its client with one statement."""
        try:
            row = first(with_policy(tokens(token), "client_id"), token)
        except DatabaseError as problem:
            raise database_failure(problem) from problem
        if row is None:
            return None, Inactive(Reason.UNKNOWN)
        answer = describe_allauth_token(row, token)
        client = client_with_policy(row, row.client.id, _key(row.client)) if answer else None
        return (client if isinstance(client, Client) else None), answer

    def verify_dummy_secret(self, request: HttpRequest, credentials: SecretCredentials) -> None:
        """Hash the secret, like for a client that exists."""
        self._secrets.verify_dummy_secret(credentials.client_secret, address=client_address(request))

    def check(self) -> list[CheckMessage]:
        """Look for clients in another database than their policies (E031)."""
        if {router.db_for_write(oidc.Client), router.db_for_write(oidc.Token)} == {router.db_for_write(Client)}:
            return []
        return [error("E031", "Its tables are in another database than those of this app.", "allauth.idp.oidc")]


def _methods() -> tuple[str, ...]:
    return tuple(getattr(app_settings, "INTROSPECTION_AUTH_METHODS", ("client_secret_basic", "client_secret_post")))


def _key(row: Any) -> str:
    """Return a key that stays the same when USE_TZ or TIME_ZONE changes."""
    moment = row.created_at
    if timezone.is_naive(moment) and connections[row._state.db].features.supports_timezones:
        moment = timezone.make_aware(moment, timezone.get_default_timezone()).astimezone(UTC)  # the column is in UTC
    return f"allauth:{row.id}:{moment.replace(tzinfo=None).isoformat()}"


def _confidential_client(client_id: str) -> Any:
    row = _client(client_id)
    return row if row is not None and row.type == oidc.Client.Type.CONFIDENTIAL else None


def _client(client_id: str) -> Any:
    rows = oidc.Client.objects.using(router.db_for_write(oidc.Client)).filter(pk=client_id)
    found = with_policy(rows, "pk").first()
    # a collation may see fewer differences than we do
    return found if found is not None and found.id == client_id else None
