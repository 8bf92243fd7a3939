"""What clients do at the endpoints of django-oauth-toolkit itself."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.test import Client as Browser
from oauth2_provider.models import get_application_model

from django_introspection.models import Client
from tests import endpoints

REDIRECT = "https://shop.example.com/back"


class Application(NamedTuple):
    client: Any
    secret: str


def register(**fields: Any) -> Application:
    """Register an application as its admin does; the secret is hashed on the way, unless the fields say otherwise."""
    secret = fields.pop("client_secret", None) or secrets.token_urlsafe(48)
    defaults = {"client_type": "confidential", "authorization_grant_type": "client-credentials"}
    model = get_application_model()
    return Application(model.objects.create(**{**defaults, **fields, "client_secret": secret}), secret)


def resource_server(policy: str = "any", **fields: Any) -> Application:
    """Register a resource server, and say in our admin what it may introspect."""
    application = register(name="Orders API")
    allow(application, introspection_policy=policy, **fields)
    return application


def allow(application: Application, **policy: Any) -> Client:
    """Say what an application may introspect."""
    return Client.objects.register(
        client_id=application.client.client_id,
        client_name="Orders API",
        token_endpoint_auth_method="elsewhere",
        **policy,
    ).client


def token_request(application: Application, **form: Any) -> dict[str, Any]:
    response = endpoints.post("/o/token/", form, auth=tuple(application))
    assert response.status_code == 200, response.content
    return dict(response.json())


def client_credentials(application: Application, scope: str = "orders:read", **form: Any) -> str:
    grant = {"grant_type": "client_credentials", "scope": scope, **form}
    return str(token_request(application, **grant)["access_token"])


def code_application(**fields: Any) -> Application:
    return register(
        name="Web shop",
        authorization_grant_type="authorization-code",
        redirect_uris=REDIRECT,
        skip_authorization=True,
        **fields,
    )


def authorization_code(application: Application, user: Any, scope: str = "orders:read", **form: Any) -> dict[str, Any]:
    """Log in, get a code with PKCE, and change it for tokens."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    browser = Browser()
    browser.force_login(user)
    query = {
        "response_type": "code",
        "client_id": application.client.client_id,
        "redirect_uri": REDIRECT,
        "scope": scope,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **form,
    }
    answer = browser.get(f"/o/authorize/?{urlencode(query)}")
    assert answer.status_code == 302, answer.content
    code = parse_qs(urlsplit(answer["Location"]).query)["code"][0]
    grant = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code_verifier": verifier}
    return token_request(application, code=code, **grant)


def refresh(application: Application, refresh_token: str) -> dict[str, Any]:
    return token_request(application, grant_type="refresh_token", refresh_token=refresh_token)


def revoke(application: Application, token: str) -> None:
    assert endpoints.post("/o/revoke_token/", {"token": token}, auth=tuple(application)).status_code == 200


def introspect(token: str, application: Application, **options: Any) -> HttpResponse:
    """Ask our endpoint, at the address that was theirs."""
    return endpoints.post("/o/introspect/", {"token": token}, auth=tuple(application), **options)


def members(token: str, application: Application) -> dict[str, Any]:
    response = introspect(token, application)
    assert response.status_code == 200, response.content
    return dict(response.json())


def view(token: str, path: str = "/whoami") -> HttpResponse:
    """Ask the protected view."""
    return Browser().get(path, headers={"Authorization": f"Bearer {token}"})


def new_user(**fields: Any) -> Any:
    return get_user_model().objects.create(username=secrets.token_hex(4), password="!", **fields)
