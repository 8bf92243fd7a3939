"""The keys that new access tokens are bound to (RFC 7800 §3.1)."""

from __future__ import annotations

from django.http import HttpRequest

from ..models import Client
from .dpop import proven_key


def confirmation(request: HttpRequest, client: Client) -> dict[str, str]:
    """Return the member `cnf` of the access token that a token request gets, empty for a bearer token.

    Raises OAuthError, and IntrospectionUnavailable if the use of a proof cannot be recorded.
    """
    jkt = proven_key(request, client)
    return {} if jkt is None else {"jkt": jkt}
