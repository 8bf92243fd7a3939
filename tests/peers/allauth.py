"""The identity provider of allauth as an authorization server in a process of its own."""

from __future__ import annotations

import os

from django.urls import include, path

from tests.peers.django_server import private_key, serve


def main() -> None:
    serve(
        lambda: [path("", include("allauth.idp.urls"))],
        register,
        apps=("allauth", "allauth.account", "allauth.idp", "allauth.idp.oidc"),
        middleware=("allauth.account.middleware.AccountMiddleware",),
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        IDP_OIDC_ADAPTER="tests.peers.allauth_adapter.Roles",
        IDP_OIDC_PRIVATE_KEY=private_key(),
        IDP_OIDC_ACCESS_TOKEN_FORMAT=os.environ.get("FORMAT", "opaque"),
        IDP_OIDC_INTROSPECTION_ENABLED=True,
        IDP_OIDC_INTROSPECTION_CROSS_CLIENT_ALLOWED=True,
        IDP_OIDC_RATE_LIMITS={"introspect_ip": "6000/m/ip", "introspect_client": "6000/m/key"},
    )


def register() -> None:
    from allauth.idp.oidc.models import Client

    grants = {"CLIENT": "client_credentials", "WEB": "authorization_code\nrefresh_token", "CALLER": ""}
    for prefix, grant_types in grants.items():
        client = Client(
            id=os.environ[f"{prefix}_ID"],
            name=prefix,
            grant_types=grant_types,
            scopes="openid\norders:read\norders:sell",
            redirect_uris=os.environ["REDIRECT"],
            skip_consent=True,
        )
        client.set_secret(os.environ[f"{prefix}_SECRET"])
        client.save()


if __name__ == "__main__":
    main()
