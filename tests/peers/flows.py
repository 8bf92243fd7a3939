"""What clients do at an authorization server that others wrote: a machine gets a token, a person logs in."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2

from tests.settings import AUDIENCE

REDIRECT = "https://shop.example.com/back"
SCOPE = "orders:read"
SELLING = f"{SCOPE} orders:sell"
"""A person who asks for this gets a token with the role `seller`, if the server can write roles."""
MACHINE, WEB, CALLER = ((name, secrets.token_urlsafe(32)) for name in ("shop", "web", "orders-api"))
ENVIRONMENT = {
    "CLIENT_ID": MACHINE[0],
    "CLIENT_SECRET": MACHINE[1],
    "WEB_ID": WEB[0],
    "WEB_SECRET": WEB[1],
    "REDIRECT": REDIRECT,
    "CALLER_ID": CALLER[0],
    "CALLER_SECRET": CALLER[1],
    "SCOPE": SELLING,
    "RESOURCE": AUDIENCE,
}
"""What every peer is told of its clients."""


@dataclass(frozen=True)
class AuthorizationServer:
    """A running peer, as its metadata describes it."""

    metadata: dict[str, Any]

    @classmethod
    def at(cls, metadata_url: str) -> AuthorizationServer:
        with httpx2.Client(timeout=30) as http:
            return cls(http.get(metadata_url).json())

    def machine_token(self, **asked: str | None) -> str:
        """Return an access token of the machine for itself."""
        with httpx2.Client(auth=MACHINE, timeout=30) as shop:
            return str(
                self._token(shop, grant_type="client_credentials", **_given(**{"scope": SCOPE, **asked}))[
                    "access_token"
                ]
            )

    def person_tokens(self, **asked: str | None) -> dict[str, Any]:
        """Return the tokens that the web application gets for alice, by code and PKCE."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        target = _given(resource=asked.get("resource"))
        scope = f"openid {asked.get('scope') or SCOPE}"
        code = self._code(scope=scope, code_challenge=challenge, code_challenge_method="S256", **target)
        form = {"code": code, "redirect_uri": REDIRECT, "code_verifier": verifier, **target}
        with httpx2.Client(auth=WEB, timeout=30) as web:
            return self._token(web, grant_type="authorization_code", **form)

    def introspect(self, token: str, auth: tuple[str, str] = CALLER) -> httpx2.Response:
        """Return what the introspection endpoint answers to the resource server, which sends this hint always."""
        with httpx2.Client(auth=auth, timeout=30) as caller:
            return caller.post(
                self.metadata["introspection_endpoint"], data={"token": token, "token_type_hint": "access_token"}
            )

    def _code(self, **more: str) -> str:
        query = {
            "response_type": "code",
            "client_id": WEB[0],
            "redirect_uri": REDIRECT,
            "state": "s",
            **more,
        }
        with httpx2.Client(timeout=30) as browser:
            response = browser.get(self.metadata["authorization_endpoint"], params=query)
            for _ in range(10):
                assert response.is_redirect, response.text
                location = urljoin(str(response.url), response.headers["Location"])
                if location.startswith(REDIRECT):
                    return parse_qs(urlsplit(location).query)["code"][0]
                response = browser.get(location)
        raise AssertionError("too many redirects")

    def _token(self, client: httpx2.Client, **form: str) -> dict[str, Any]:
        response = client.post(self.metadata["token_endpoint"], data=form)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer


def _given(**parameters: str | None) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if value is not None}
