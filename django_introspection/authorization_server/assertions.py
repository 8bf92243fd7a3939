"""Clients that sign for themselves: `private_key_jwt` (RFC 7523 §2.2, draft-ietf-oauth-rfc7523bis)."""

from __future__ import annotations

import hashlib
import logging
import time

from ..cache_calls import CacheCalls, CacheUnavailable
from ..conf import introspection_settings
from ..jose import KeyProblem, is_installed, is_signed_by, read_key_set
from ..models import AuthMethod, Client
from ..outbound.jwks import remote_key_sets
from ..protocol.assertion import assertion_problem
from ..protocol.credentials import AssertionCredentials
from ..protocol.errors import TemporarilyUnavailable
from ..protocol.jwt import UnverifiedJWT
from .client_sources import CLIENT_INACTIVE, UNKNOWN_CLIENT, ClientResult, Rejection

_calls = CacheCalls("used assertions", level=logging.ERROR, must_last=True)


def is_supported() -> bool:
    """Return whether this server accepts assertions: they need an issuer, and the extra `jwt` to verify them."""
    return introspection_settings.ISSUER is not None and is_installed()


def authenticate_by_assertion(credentials: AssertionCredentials) -> ClientResult:
    """Return the client that an assertion authenticates, or the reason why it authenticates none.

    It takes one statement, and none for an assertion with invalid claims. Raises TemporarilyUnavailable or
    IntrospectionUnavailable if its keys or the cache of used assertions cannot be reached.
    """
    if problem := _problem(credentials):
        return Rejection(problem)
    client = Client.objects.with_id(credentials.client_id).first()
    if client is None or client.client_id != credentials.client_id:  # a collation may see fewer differences
        return UNKNOWN_CLIENT
    if not client.is_active:
        return CLIENT_INACTIVE
    if client.token_endpoint_auth_method != AuthMethod.PRIVATE_KEY_JWT:
        return Rejection(f"not its registered method: {AuthMethod.PRIVATE_KEY_JWT}")
    if not _is_signed_by(client, credentials.jwt):
        return Rejection("the signature is not by a key of the client")
    if not _is_first_use(credentials):
        return Rejection("the assertion was used before")
    return client


def _problem(credentials: AssertionCredentials) -> str | None:
    issuer = introspection_settings.ISSUER
    if issuer is None or not is_supported():
        return "assertions need the setting ISSUER and the extra jwt"
    return assertion_problem(
        credentials.jwt,
        client_id=credentials.client_id,
        issuer=issuer,
        now=time.time(),
        leeway=introspection_settings.LEEWAY,
    )


def _is_signed_by(client: Client, jwt: UnverifiedJWT) -> bool:
    if client.jwks_uri:
        return is_signed_by(remote_key_sets.keys(client.jwks_uri, kid=jwt.kid), jwt)
    try:
        return is_signed_by(read_key_set(client.jwks), jwt)
    except KeyProblem:  # a row that was not validated
        return False


def _is_first_use(credentials: AssertionCredentials) -> bool:
    """Record the `jti` until the assertion has expired, and return whether this is the first use.

    Raises TemporarilyUnavailable if it cannot be recorded, because the assertion could then be used again.
    """
    claims = credentials.jwt.claims
    name = hashlib.sha256(f"{credentials.client_id}\0{claims['jti']}".encode()).hexdigest()
    seconds = int(claims["exp"] - time.time()) + introspection_settings.LEEWAY + 2
    try:
        return bool(
            _calls.make(introspection_settings.REPLAY_CACHE, "add", f"introspection:assertion:{name}", 1, seconds)
        )
    except CacheUnavailable:
        raise TemporarilyUnavailable("The server cannot authenticate clients at the moment.") from None
