"""What a project adds to allauth so that its access tokens have roles."""

from __future__ import annotations

from typing import Any

from allauth.idp.oidc.adapter import DefaultOIDCAdapter

ROLES = {"roles": ["seller"]}


class Roles(DefaultOIDCAdapter):
    def populate_access_token(self, access_token: dict[str, Any], *, scopes: Any, user: Any, **_: Any) -> None:
        if user and "orders:sell" in scopes:
            access_token.update(ROLES)

    def populate_introspection_response(self, *, response: dict[str, Any], token: Any) -> None:
        if token.type == token.Type.ACCESS_TOKEN and token.user and "orders:sell" in token.get_scopes():
            response.update(ROLES)
