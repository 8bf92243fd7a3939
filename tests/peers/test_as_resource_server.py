"""Authorization servers that others wrote, asked by our RemoteBackend behind a protected view."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

import httpx2
from django.test import Client as Browser

from tests.peers.processes import NODE, served
from tests.settings import AUDIENCE

MACHINE = ("shop", secrets.token_urlsafe(32))
CALLER = ("orders-api", secrets.token_urlsafe(32))
ENVIRONMENT = {
    "CLIENT_ID": MACHINE[0],
    "CLIENT_SECRET": MACHINE[1],
    "CALLER_ID": CALLER[0],
    "CALLER_SECRET": CALLER[1],
    "SCOPE": "orders:read",
    "RESOURCE": AUDIENCE,
}


def trust(settings: Any, introspection_url: str, **options: Any) -> None:
    remote = {"introspection_url": introspection_url, "client_id": CALLER[0], "client_secret": CALLER[1], **options}
    backend = {"BACKEND": "django_introspection.backends.RemoteBackend", "OPTIONS": remote}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": backend}}


def whoami(token: str) -> Any:
    return Browser().get("/whoami", headers={"Authorization": f"Bearer {token}"})


def test_tokens_of_oidc_provider(settings: Any) -> None:
    with served(["node", "oidc_provider.js"], ENVIRONMENT, cwd=NODE) as issuer, httpx2.Client(auth=MACHINE) as shop:
        trust(settings, f"{issuer}/token/introspection", issuer=issuer, audience=AUDIENCE)
        form = {"grant_type": "client_credentials", "scope": "orders:read"}
        token = shop.post(f"{issuer}/token", data=form).json()["access_token"]
        without_scope = shop.post(f"{issuer}/token", data={"grant_type": "client_credentials"}).json()["access_token"]

        assert whoami(token).status_code == 200
        assert whoami(without_scope).status_code == 403
        assert whoami("unknown").status_code == 401
        assert shop.post(f"{issuer}/token/revocation", data={"token": token}).status_code == 200
        assert whoami(token).status_code == 401

    assert whoami(token).status_code == 503


def test_tokens_of_django_oauth_toolkit(settings: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.peers.oauth_toolkit"]
    environment = {**ENVIRONMENT, "DATABASE_FILE": str(tmp_path / "server.sqlite3")}
    with served(command, environment) as issuer, httpx2.Client(auth=MACHINE) as shop:
        # This server says neither what type a token has nor, without RFC 8707, for whom it is.
        trust(settings, f"{issuer}/introspect/", require_token_type=False)
        form = {"grant_type": "client_credentials", "scope": "orders:read"}
        token = shop.post(f"{issuer}/token/", data=form).json()["access_token"]

        assert whoami(token).status_code == 200
        assert whoami("unknown").status_code == 401
        assert shop.post(f"{issuer}/revoke_token/", data={"token": token}).status_code == 200
        assert whoami(token).status_code == 401
