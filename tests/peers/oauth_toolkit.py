"""django-oauth-toolkit as an authorization server in a process of its own."""

from __future__ import annotations

import os
from typing import Any

from django.urls import include, path

from tests.peers.django_server import private_key, serve


def main() -> None:
    scopes = {"openid": "Log in", "orders:read": "Read orders", "introspection": "Introspect"}
    serve(
        lambda: [path("o/", include("oauth2_provider.urls"))],
        register,
        apps=("oauth2_provider",),
        OAUTH2_PROVIDER={"SCOPES": scopes, "OIDC_ENABLED": True, "OIDC_RSA_PRIVATE_KEY": private_key()},
    )


def register() -> None:
    _register("CLIENT", authorization_grant_type="client-credentials")
    _register("CALLER", authorization_grant_type="client-credentials")
    if "WEB_ID" in os.environ:
        _register(
            "WEB",
            authorization_grant_type="authorization-code",
            redirect_uris=os.environ["REDIRECT"],
            skip_authorization=True,
            algorithm="RS256",
        )


def _register(prefix: str, **fields: Any) -> None:
    from oauth2_provider.models import Application

    client_id = os.environ[f"{prefix}_ID"]
    if Application.objects.filter(client_id=client_id).exists():  # it has been up before
        return
    secret = os.environ[f"{prefix}_SECRET"]
    Application.objects.create(client_id=client_id, client_secret=secret, client_type="confidential", **fields)


if __name__ == "__main__":
    main()
