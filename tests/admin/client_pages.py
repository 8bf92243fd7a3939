"""The pages of clients and what a browser sends to them."""

from __future__ import annotations

import re
from typing import Any

from django_introspection.models import Client
from django_introspection.models.fields import uuid7
from tests.settings import AUDIENCE

LIST = "/admin/introspection/client/"
ADD = f"{LIST}add/"
KINDS = {
    "resource-server": {"resources": AUDIENCE, "resource_scopes": "orders:read"},
    "machine": {"scope": "orders:read orders:write", "allowed_resources": AUDIENCE},
}
KINDS["both"] = KINDS["resource-server"] | KINDS["machine"]


def page_of(client: Client, page: str = "change") -> str:
    return f"{LIST}{client.pk}/{page}/"


def add_form(purpose: str = "machine", **entries: Any) -> dict[str, Any]:
    """The short form for a new client, each call another one."""
    form = {"form_id": uuid7(), "purpose": purpose, "client_name": "Orders <API>", "client_id": "orders"}
    return form | {"token_endpoint_auth_method": "client_secret_basic"} | KINDS.get(purpose, {}) | entries


def secret_form(**entries: Any) -> dict[str, Any]:
    return {"form_id": uuid7(), "lifetime": "", "others": ""} | entries


def change_form(client: Client, **entries: Any) -> dict[str, Any]:
    """The form of the change page as a browser sends it back; an entry that is None is left out."""
    form = {
        "client_name": client.client_name,
        "is_active": "on" if client.is_active else None,
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "grant_types": client.grant_types,
        "scope": client.scope,
        "allowed_resources": "\r\n".join(client.allowed_resources),
        "authorization_details_types": "\r\n".join(client.authorization_details_types),
        "may_impersonate": "on" if client.may_impersonate else None,
        "resources": "\r\n".join(client.resources),
        "resource_scopes": client.resource_scopes,
        "introspection_policy": client.introspection_policy,
        "filter_scope": "on" if client.filter_scope else None,
        "visible_members": "\r\n".join(client.visible_members),
        "access_token_format": client.access_token_format,
        "introspection_signed_response_alg": client.introspection_signed_response_alg,
        "introspection_encrypted_response_alg": client.introspection_encrypted_response_alg,
        "introspection_encrypted_response_enc": client.introspection_encrypted_response_enc,
    }
    return {name: value for name, value in (form | entries).items() if value is not None}


def secrets_in(response: Any) -> list[str]:
    return re.findall(r"dit_cs_[0-9A-Za-z]+", response.content.decode())


def secret_in(response: Any) -> str:
    """Return the one secret that a page shows, once."""
    (secret,) = secrets_in(response)
    return secret


def told(response: Any) -> str:
    """Return what the messages on a page say, redirects followed."""
    return " ".join(str(message) for message in response.context["messages"])
