from __future__ import annotations

import hashlib
from typing import Any

from allauth.idp.oidc.adapter import DefaultOIDCAdapter


class Binding(DefaultOIDCAdapter):
    def populate_access_token(self, access_token: dict[str, Any], **_: Any) -> None:
        access_token["cnf"] = {"jkt": "x"}


class Pairwise(DefaultOIDCAdapter):
    def hash_token(self, token: str) -> str:
        return "sha3:" + hashlib.sha3_256(token.encode()).hexdigest()

    def get_user_by_sub(self, client: Any, sub: str) -> Any:
        return super().get_user_by_sub(client, sub.rpartition("|")[2])

    def get_user_sub(self, client: Any, user: Any) -> str:
        return f"{client.id}|{user.pk}"


class ByName(DefaultOIDCAdapter):
    def get_user_sub(self, client: Any, user: Any) -> str:
        return str(user.username)


class Failing(DefaultOIDCAdapter):
    def get_user_sub(self, client: Any, user: Any) -> str:
        raise KeyError(user)


class FailingHash(DefaultOIDCAdapter):
    def hash_token(self, token: str) -> str:
        raise KeyError(token)
