"""The authorization code flow with PKCE (RFC 6749 §4.1, RFC 7636), at a server that describes itself (RFC 8414)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx2
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from ..settings.base import ORDERS_API, WEB_CLIENT_ID
from . import problems


@dataclass(frozen=True)
class AuthorizationRequest:
    """What the session remembers until the answer comes; it serves once."""

    redirect_uri: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    code_verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)

    def url(self, scope: str) -> str:
        """Return where to send the person."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.code_verifier.encode()).digest())
        query = {
            "response_type": "code",
            "client_id": WEB_CLIENT_ID,
            "redirect_uri": self.redirect_uri,
            "scope": scope,
            "resource": ORDERS_API,
            "state": self.state,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{_metadata()['authorization_endpoint']}?{urlencode(query)}"

    @sensitive_variables()
    def token(self, code: str) -> str:
        """Change the code for an access token."""
        grant = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.code_verifier,
            "resource": ORDERS_API,
        }
        answer = _post("token_endpoint", grant)
        token = answer.get("access_token")
        if not isinstance(token, str) or str(answer.get("token_type")).lower() != "bearer":
            raise problems.refused_by_authorization_server(str(answer.get("error", "no access_token")))
        return token


@sensitive_variables()
def revoke(token: str) -> None:
    """Give an access token back (RFC 7009)."""
    _post("revocation_endpoint", {"token": token, "token_type_hint": "access_token"})


def _metadata() -> dict[str, Any]:
    document = _json("GET", f"{settings.AUTHORIZATION_SERVER}/.well-known/oauth-authorization-server")
    if document.get("issuer") != settings.AUTHORIZATION_SERVER:
        raise problems.refused_by_authorization_server("the metadata is of another issuer")
    return document


@sensitive_variables()
def _post(endpoint: str, form: dict[str, str]) -> dict[str, Any]:
    return _json("POST", _metadata()[endpoint], data=form, auth=(WEB_CLIENT_ID, settings.WEB_CLIENT_SECRET))


@sensitive_variables()
def _json(method: str, url: str, **request: Any) -> dict[str, Any]:
    """Send a request; what is no JSON object is taken as an empty one. Raises Problem where nobody answers."""
    try:
        response = httpx2.request(method, url, trust_env=False, timeout=10, **request)
    except httpx2.TransportError:
        raise problems.authorization_server_down() from None
    if response.is_server_error:
        raise problems.authorization_server_down()
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
