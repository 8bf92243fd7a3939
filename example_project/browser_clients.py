"""Fill the authorization server of the browser story: `python -m example_project.browser_clients REDIRECT_URI`.

The secrets of both applications come from the environment.
"""

from __future__ import annotations

import os
import sys

import django

from .settings.base import ORDERS_API, ORDERS_API_CLIENT_ID, WEB_CLIENT_ID

PERSON, OPERATOR = "ada", "operator"
"""Two logins of the demo; each is its own password."""


def main(redirect_uri: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "example_project.settings.oauth_toolkit_server"
    django.setup()
    make_people()
    register_order_book(redirect_uri, os.environ["WEB_CLIENT_SECRET"])
    register_orders_api(os.environ["ORDERS_API_CLIENT_SECRET"])


def make_people() -> None:
    from django.contrib.auth import get_user_model

    users = get_user_model().objects
    for username, create in ((PERSON, users.create_user), (OPERATOR, users.create_superuser)):
        if not users.filter(username=username).exists():
            create(username, password=username)


def register_order_book(redirect_uri: str, secret: str) -> None:
    """Register the web client anew, with the address that it has today."""
    from oauth2_provider.models import Application

    Application.objects.filter(client_id=WEB_CLIENT_ID).delete()
    Application.objects.create(
        client_id=WEB_CLIENT_ID,
        client_secret=secret,
        name="Order book",
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=redirect_uri,
    )


def register_orders_api(secret: str) -> None:
    """Register the API: there with its credentials, here with what it may be told, which is about tokens for it."""
    from oauth2_provider.models import Application

    from django_introspection.models import Client

    Application.objects.filter(client_id=ORDERS_API_CLIENT_ID).delete()
    Application.objects.create(
        client_id=ORDERS_API_CLIENT_ID,
        client_secret=secret,
        name="Orders API",
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )
    Client.objects.filter(client_id=ORDERS_API_CLIENT_ID).delete()
    Client.objects.register(
        client_id=ORDERS_API_CLIENT_ID,
        client_name="Orders API",
        token_endpoint_auth_method="elsewhere",
        introspection_policy="audience",
        resources=[ORDERS_API],
        resource_scopes="orders:read orders:write",
    )


if __name__ == "__main__":
    main(sys.argv[1])
