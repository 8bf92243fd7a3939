"""The keys that new access tokens are bound to (RFC 7800 §3.1)."""

from __future__ import annotations

import logging

from django.http import HttpRequest

from ..client_certificates import thumbprint
from ..models import Client
from ..protocol.binding import JKT, X5T
from ..protocol.errors import InvalidRequest
from .dpop import proven_key

logger = logging.getLogger("django_introspection")


def confirmation(request: HttpRequest, client: Client) -> dict[str, str]:
    """Return the member `cnf` of the access token that a token request gets, empty for a bearer token.

    A proof binds the token of every client, a certificate only that of a client that is registered for it. Raises
    OAuthError, and IntrospectionUnavailable if the use of a proof cannot be recorded.
    """
    keys = {X5T: _certificate(request, client), JKT: proven_key(request, client)}
    return {name: key for name, key in keys.items() if key is not None}


def _certificate(request: HttpRequest, client: Client) -> str | None:
    """Return the thumbprint of the certificate that the tokens of a client are bound to (RFC 8705 §3, §3.4)."""
    if not client.tls_client_certificate_bound_access_tokens:
        return None
    found = thumbprint(request)
    if found is None:
        logger.info("token request refused client=%s: no certificate", client.client_id)
        raise InvalidRequest("This client must use a TLS client certificate.")
    return found
