"""The one client to which every personal token is issued, so that lists, policies and revocation know them."""

from __future__ import annotations

from django.db import router

from ..backends.database import PERSONAL_TOKENS as CLIENT_ID
from ..models import Client, IntrospectionPolicy

__all__ = ["CLIENT_ID", "personal_client"]


def personal_client() -> Client:
    """Return the client of personal tokens, and make it if it does not exist.

    It has no secret and no grant, so no program authenticates as it. If an operator disables it, every personal
    token is inactive.
    """
    clients = Client.objects.using(router.db_for_write(Client))
    found = clients.filter(client_id=CLIENT_ID).first()
    if found is None:
        fields = {"client_name": "Personal tokens", "introspection_policy": IntrospectionPolicy.NONE}
        found, _ = clients.get_or_create(client_id=CLIENT_ID, defaults=fields)
    return found
