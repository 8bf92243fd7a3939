"""Make the tables, clients and users of the authorization server: `python -m tests.soak.prepare`."""

from __future__ import annotations

from typing import Any

import django

from .site import (
    GATEWAY,
    INVOICES,
    INVOICES_READ,
    MACHINES,
    ORDERS,
    ORDERS_API,
    READ,
    SECRET,
    SWEPT,
    SWITCHED,
    USERS,
    WRITE,
    issues_jwt,
)


def main() -> None:
    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from django_introspection.models import Client

    def register(client_id: str, **metadata: Any) -> None:
        Client.objects.register(client_id=client_id, client_name=client_id, client_secret=SECRET, **metadata)

    call_command("migrate", verbosity=0)
    users = get_user_model().objects
    for number in range(USERS):
        users.create(username=f"user-{number}", password="!")
    for client_id in (*MACHINES, *SWITCHED, *SWEPT):
        register(
            client_id,
            grant_types=["client_credentials", "refresh_token"],
            scope=f"{READ} {WRITE} {INVOICES_READ}",
            allowed_resources=[ORDERS, INVOICES],
            access_token_format="jwt" if issues_jwt(client_id) else "opaque",
        )
    register(ORDERS_API, resources=[ORDERS], resource_scopes=f"{READ} {WRITE}")
    register(GATEWAY, introspection_policy="any", scope="introspection", grant_types=["client_credentials"])


if __name__ == "__main__":
    main()
