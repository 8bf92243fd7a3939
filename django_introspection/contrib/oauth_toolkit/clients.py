"""Applications of django-oauth-toolkit as clients of our introspection endpoint."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage
from django.db import Error as DatabaseError
from django.db import router
from django.http import HttpRequest
from oauth2_provider.models import AbstractApplication, get_access_token_model, get_application_model
from oauth2_provider.settings import oauth2_settings

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
from .tokens import access_tokens, describe_access_token, first, is_usable


class OAuthToolkitClients(ClientSource):
    """Confidential applications with the identifiers, secrets and tokens that they have. Public ones are no callers."""

    def __init__(self) -> None:
        self._secrets = HashedSecrets()

    def by_secret(self, request: HttpRequest, credentials: SecretCredentials) -> ClientResult:
        """Look with one statement; the secret comes in the header or in the body, since no method is registered."""
        application = _application(credentials.client_id)
        if application is None or not _may_call(application):
            return UNKNOWN_CLIENT
        address = client_address(request)
        given, stored = credentials.client_secret, _stored_secret(application)
        hasher, client_id = oauth2_settings.CLIENT_SECRET_HASHER, application.client_id
        if not self._secrets.is_right(given, stored, client_id=client_id, address=address, hasher=hasher):
            return Rejection("wrong secret")
        return _client_of(application)

    def by_id(self, client_id: str) -> ClientResult:
        """Look with one statement."""
        application = _application(client_id)
        return UNKNOWN_CLIENT if application is None or not _may_call(application) else _client_of(application)

    def key_of(self, client_id: str) -> str | None:
        """Return the primary key of an application, which no later application gets."""
        application = _application(client_id)
        return None if application is None else _key(application)

    def by_token(self, token: str) -> tuple[Client | None, Answer]:
        """Find the token and its application with one statement."""
        try:
            row = first(with_policy(access_tokens(token), "application__client_id"))
        except DatabaseError as error:
            raise database_failure(error) from error
        if row is None:
            return None, Inactive(Reason.UNKNOWN)
        answer = describe_access_token(row)
        if not answer or row.application is None:
            return None, answer
        client = client_with_policy(row, row.application.client_id, _key(row.application))
        return (client if isinstance(client, Client) else None), answer

    def verify_dummy_secret(self, request: HttpRequest, credentials: SecretCredentials) -> None:
        """Hash the secret, like for an application that exists."""
        hasher = oauth2_settings.CLIENT_SECRET_HASHER
        self._secrets.verify_dummy_secret(credentials.client_secret, address=client_address(request), hasher=hasher)

    def check(self) -> list[CheckMessage]:
        """Look for applications in another database than their policies (E031)."""
        theirs = {router.db_for_write(model) for model in (get_application_model(), get_access_token_model())}
        if theirs == {router.db_for_write(Client)}:
            return []
        return [error("E031", "Its tables are in another database than those of this app.", "oauth2_provider")]


def _application(client_id: str) -> Any:
    model = get_application_model()
    rows = model._default_manager.using(router.db_for_write(model)).filter(client_id=client_id)
    found = first(with_policy(rows, "client_id"))
    # a collation may see fewer differences than we do
    return found if found is not None and found.client_id == client_id else None


def _client_of(application: Any) -> ClientResult:
    if not is_usable(application):
        return Rejection("application not usable")
    return client_with_policy(application, application.client_id, _key(application))


def _key(application: Any) -> str:
    return f"oauth2_provider:{application.pk}"


def _may_call(application: Any) -> bool:
    return bool(application.client_type == AbstractApplication.CLIENT_CONFIDENTIAL)


def _stored_secret(application: Any) -> str:
    """Return the secret, "" if it should be hashed and is not: a hash of a hasher that is gone is no secret."""
    secret: str = application.client_secret
    return secret if is_hashed(secret) or not application.hash_client_secret else ""
