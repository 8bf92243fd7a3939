"""What clients do at the endpoints of allauth itself."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from allauth.idp.oidc.models import Client as OIDCClient
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.test import Client as Browser

from django_introspection.models import Client
from tests import endpoints

REDIRECT = "https://shop.example.com/back"
API = "/identity/o/api"


class Registered(NamedTuple):
    client: Any
    secret: str


def register(**fields: Any) -> Registered:
    """Register a client as its admin does; only the hash of the secret is kept."""
    secret = fields.pop("secret", None) or secrets.token_urlsafe(32)
    defaults = {
        "name": "Shop",
        "grant_types": "authorization_code\nclient_credentials\nrefresh_token",
        "scopes": "openid\norders:read\norders:write\nintrospection",
        "redirect_uris": REDIRECT,
        "skip_consent": True,
    }
    client = OIDCClient(**{**defaults, **fields})
    client.client_id = client.id  # as endpoints.post expects, and allauth does
    client.set_secret(secret)
    client.save()
    return Registered(client, secret)


def resource_server(policy: str = "any", **fields: Any) -> Registered:
    """Register a resource server, and say in our admin what it may introspect."""
    registered = register(name="Orders API")
    allow(registered, introspection_policy=policy, **fields)
    return registered


def allow(registered: Registered, **policy: Any) -> Client:
    return Client.objects.register(
        client_id=registered.client.id, client_name="Orders API", token_endpoint_auth_method="elsewhere", **policy
    ).client


def token_request(registered: Registered, **form: Any) -> dict[str, Any]:
    response = endpoints.post(f"{API}/token", form, auth=tuple(registered))
    assert response.status_code == 200, response.content
    return dict(response.json())


def client_credentials(registered: Registered, scope: str = "orders:read", **form: Any) -> str:
    return str(token_request(registered, grant_type="client_credentials", scope=scope, **form)["access_token"])


def authorization_code(registered: Registered, user: Any, scope: str = "openid orders:read", **form: Any) -> Any:
    """Log in, get a code with PKCE, and change it for tokens."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    browser = Browser()
    browser.force_login(user)
    query = {
        "response_type": "code",
        "client_id": registered.client.id,
        "redirect_uri": REDIRECT,
        "scope": scope,
        "state": "s",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **form,
    }
    answer = browser.get(f"/identity/o/authorize?{urlencode(query)}")
    assert answer.status_code == 302, answer.content
    code = parse_qs(urlsplit(answer["Location"]).query)["code"][0]
    return token_request(
        registered, grant_type="authorization_code", code=code, redirect_uri=REDIRECT, code_verifier=verifier
    )


def refresh(registered: Registered, refresh_token: str) -> dict[str, Any]:
    return token_request(registered, grant_type="refresh_token", refresh_token=refresh_token)


def revoke(registered: Registered, token: str) -> None:
    assert endpoints.post(f"{API}/revoke", {"token": token}, auth=tuple(registered)).status_code == 200


def introspect(token: str, registered: Registered, **options: Any) -> HttpResponse:
    """Ask our endpoint, at the address that was theirs."""
    return endpoints.post(f"{API}/introspect", {"token": token}, auth=tuple(registered), **options)


def members(token: str, registered: Registered) -> dict[str, Any]:
    response = introspect(token, registered)
    assert response.status_code == 200, response.content
    return dict(response.json())


def theirs(token: str, registered: Registered) -> dict[str, Any]:
    response = endpoints.post(f"/theirs{API}/introspect", {"token": token}, auth=tuple(registered))
    assert response.status_code == 200, response.content
    return dict(response.json())


def view(token: str) -> HttpResponse:
    return Browser().get("/whoami", headers={"Authorization": f"Bearer {token}"})


def new_user(**fields: Any) -> Any:
    return get_user_model().objects.create(username=secrets.token_hex(4), password="!", **fields)
