"""Client authentication, the same at each of our endpoints (RFC 6749 §2.3, RFC 7662 §2.1)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NoReturn

from django.http import HttpRequest

from ..addresses import client_address, sender_address
from ..backends.database import describe_token, find
from ..client_certificates import client_certificate, thumbprint
from ..conf import introspection_settings
from ..models import AuthMethod, Client, ClientSecret
from ..models.fields import now
from ..proofs import NonceNeeded
from ..protocol.answer import Active, Answer, Inactive, Reason
from ..protocol.binding import ProvenKeys
from ..protocol.certificate import Certificate
from ..protocol.challenge import challenge
from ..protocol.credentials import (
    AssertionCredentials,
    CertificateCredentials,
    Credentials,
    SecretCredentials,
    TokenCredentials,
    invalid_caller,
    parse_credentials,
)
from ..protocol.dpop import InvalidProof
from ..protocol.errors import (
    InsufficientCaller,
    IntrospectionUnavailable,
    InvalidCaller,
    InvalidClient,
    OAuthError,
    TooManyRequests,
    UnauthorizedClient,
)
from ..protocol.form import Form
from ..protocol.jwt import token_identity
from ..protocol.opaque import loggable_identifier
from ..protocol.presented import DPOP
from ..signals import client_authentication_failed
from . import dpop
from .assertions import authenticate_by_assertion
from .bearer_callers import holder_of, token_problem
from .certificate_clients import authenticate_by_certificate
from .client_secrets import find_secret, note_use
from .client_sources import (
    CLIENT_INACTIVE,
    UNKNOWN_CLIENT,
    ClientResult,
    ClientSource,
    Rejection,
    client_sources,
    first_known,
)
from .throttles import after_failure

logger = logging.getLogger("django_introspection")

INTROSPECTION_SCOPE = "introspection"


def authenticate_client(request: HttpRequest, form: Form) -> Client:
    """Return the client of this app that calls, by its own credentials; raises OAuthError.

    A client of another source gets its tokens there, and revoking one here would have no effect.
    """
    credentials = _credentials(request, form)
    if isinstance(credentials, TokenCredentials):
        _refuse(request, InvalidClient("Client authentication is required.", detail="bearer token sent"))
    client = _by_own_credentials(request, credentials)
    if client.pk is None:
        raise UnauthorizedClient("This client gets and revokes its tokens elsewhere.")
    return client


def authenticate_caller(request: HttpRequest, form: Form) -> Client:
    """Return the client that asks about tokens, by its credentials or by an access token of its own.

    Raises OAuthError; always 401 for a token that is inactive or lacks the scope (RFC 7662 §2.3).
    """
    credentials = _credentials(request, form)
    if isinstance(credentials, TokenCredentials):
        return _by_token(request, credentials, form)
    return _by_own_credentials(request, credentials)


def _credentials(request: HttpRequest, form: Form) -> Credentials:
    try:
        has_certificate = introspection_settings.CLIENT_CERTIFICATES is not None and bool(client_certificate(request))
        return parse_credentials(request.META.get("HTTP_AUTHORIZATION", ""), form, has_certificate=has_certificate)
    except (InvalidClient, InvalidCaller) as refusal:
        _refuse(request, refusal, form.get("client_id") or "")


def _by_own_credentials(
    request: HttpRequest, credentials: SecretCredentials | AssertionCredentials | CertificateCredentials
) -> Client:
    if isinstance(credentials, AssertionCredentials):
        results = (source.by_assertion(credentials) for source in client_sources())
        try:
            return _authenticated(request, results, credentials.client_id, "client assertion")
        except IntrospectionUnavailable as outage:  # another client ID would have been refused, and counted
            _count_outage(request, outage, credentials.client_id)
    if isinstance(credentials, CertificateCredentials):
        client_id, certificate = credentials.client_id, client_certificate(request)
        results = (source.by_certificate(client_id, certificate) for source in client_sources() if certificate)
        return _authenticated(request, results, client_id, "client certificate")
    return _by_secret(request, credentials)


def _authenticated(request: HttpRequest, results: Iterable[ClientResult], client_id: str, way: str) -> Client:
    """Return the client of the first source that knows it; refuse the request if that source rejects it."""
    result: ClientResult = UNKNOWN_CLIENT
    for result in results:
        if isinstance(result, Client) or not result.is_unknown:
            break
    if isinstance(result, Rejection):
        refusal = InvalidClient("Client authentication failed.", detail=f"{way}: {result.reason}")
        _refuse(request, refusal, client_id)
    return result


def _by_secret(request: HttpRequest, credentials: SecretCredentials) -> Client:
    try:
        result = _find_by_secret(request, credentials)
    except TooManyRequests as too_many:
        _refuse(request, too_many, credentials.client_id)
    if isinstance(result, Rejection):
        refusal = InvalidClient("Client authentication failed.", detail=result.reason)
        _refuse(request, refusal, credentials.client_id, guesses=len(set(credentials.secrets)))
    return result


def _find_by_secret(request: HttpRequest, credentials: SecretCredentials) -> ClientResult:
    """Ask each source; a source without such a client then does the work of a wrong secret."""
    rejections: dict[ClientSource, Rejection] = {}
    for source in client_sources():
        result = source.by_secret(request, credentials)
        if isinstance(result, Client):
            return result
        rejections[source] = result
    for source, rejection in rejections.items():
        if rejection.is_unknown:
            source.verify_dummy_secret(request, credentials)
    return first_known(rejections.values())


def _by_token(request: HttpRequest, credentials: TokenCredentials, form: Form) -> Client:
    try:
        proof = dpop.verify(request, credentials.token) if credentials.scheme == DPOP else None
        client, answer = holder_of(credentials.token)
        keys = ProvenKeys(proof.jkt if proof else None, thumbprint(request))
        problem = token_problem(answer, keys, sender_address(request))
        if client is None or not answer or problem:
            _refuse_token(request, credentials, "The access token is not valid here.", problem or "no client's")
        if proof:
            proof.consume()
    except NonceNeeded as needed:  # nothing was guessed, and nothing failed: so a caller learns the nonce
        raise dpop.caller_refusal_of(needed) from None
    except InvalidProof as invalid:
        _refuse(request, dpop.caller_refusal_of(invalid))
    if token_identity(form.get("token") or "") == token_identity(credentials.token):
        _refuse_token(request, credentials, "A token cannot be used to ask about itself.")
    if INTROSPECTION_SCOPE not in answer.info.scopes:
        lacking = challenge(credentials.scheme, error="insufficient_scope", scope=INTROSPECTION_SCOPE)
        refusal = InsufficientCaller(f"The access token lacks the scope {INTROSPECTION_SCOPE}.", challenges=(lacking,))
        _refuse(request, refusal, client.client_id)
    return client


def _refuse_token(request: HttpRequest, credentials: TokenCredentials, description: str, detail: str = "") -> NoReturn:
    _refuse(request, invalid_caller(description, detail=detail, scheme=credentials.scheme))


def _refuse(request: HttpRequest, refusal: OAuthError, client_id: str = "", *, guesses: int = 1) -> NoReturn:
    address = client_address(request)
    reason = refusal.detail or refusal.description
    claimed = loggable_identifier(client_id)
    client_authentication_failed.send_robust(Client, client_id=claimed, reason=reason, remote_address=address)
    raise after_failure(refusal, client_id, address, guesses=guesses)


def _count_outage(request: HttpRequest, outage: IntrospectionUnavailable, client_id: str) -> NoReturn:
    """Raise what happens if a client cannot be authenticated, after it was counted like a refusal."""
    refusal = after_failure(InvalidClient("Client authentication failed."), client_id, client_address(request))
    raise refusal if isinstance(refusal, TooManyRequests) else outage


class DatabaseClients(ClientSource):
    """The clients of this app."""

    def by_secret(self, request: HttpRequest, credentials: SecretCredentials) -> ClientResult:
        """Look for both readings of the secret with one statement, which costs the same for an unknown client.

        The statement also finds the token that the caller asks about, but only if it finds the secret.
        """
        found = find_secret(request, credentials)
        if found is None:
            return UNKNOWN_CLIENT
        if rejection := _rejection(found, credentials):
            return rejection
        note_use(request, found)
        return found.client

    def by_id(self, client_id: str) -> ClientResult:
        """Look with one statement; a row that is the policy of a client of another source is not found."""
        client = Client.objects.filter(client_id=client_id).first()
        if client is None or client.client_id != client_id:  # a collation may see fewer differences than we do
            return UNKNOWN_CLIENT
        if client.token_endpoint_auth_method == AuthMethod.ELSEWHERE:
            return UNKNOWN_CLIENT
        return client if client.is_active else CLIENT_INACTIVE

    def by_assertion(self, credentials: AssertionCredentials) -> ClientResult:
        """Look with one statement, and verify with the keys of the client."""
        return authenticate_by_assertion(credentials)

    def by_certificate(self, client_id: str, certificate: Certificate) -> ClientResult:
        """Look with one statement, and compare with the certificates or the name of the client."""
        return authenticate_by_certificate(client_id, certificate)

    def by_token(self, token: str) -> tuple[Client | None, Answer]:
        """Find the token and its client with one statement."""
        found = find(token)
        if found is None:
            return None, Inactive(Reason.UNKNOWN)
        if reason := found.inactive_reason(now()):
            return found.client, Inactive(reason)
        return found.client, Active(describe_token(found.record()), found.user)


def _rejection(found: ClientSecret, credentials: SecretCredentials) -> Rejection | None:
    client = found.client
    if client.client_id != credentials.client_id:  # a collation may see fewer differences than we do
        return UNKNOWN_CLIENT
    if not client.is_active:
        return CLIENT_INACTIVE
    if not found.is_live(now()):
        return Rejection("secret expired")
    if client.token_endpoint_auth_method != credentials.method:
        return Rejection(f"not its registered method: {credentials.method}")
    return None
