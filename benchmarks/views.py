"""The protected view of every scenario, and the floors of its authentication."""

from __future__ import annotations

import json
import time
from typing import Any, ClassVar

from django.core.cache import cache
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .floors import members_by_sql, sha256


class Resource(APIView):
    """What every scenario serves; a subclass names its authentication."""

    permission_classes = [IsAuthenticated]
    throttle_classes: list[Any] = []
    renderer_classes = [JSONRenderer]

    def get(self, request: Request) -> Response:
        return Response({"user": str(request.user)})


class Principal:
    """A user without a row."""

    is_authenticated = is_active = True

    def __init__(self, members: dict[str, Any]) -> None:
        self.members = members

    def __str__(self) -> str:
        return str(self.members["username"])


class Floor(BaseAuthentication):
    """Look up the members of a token and check its expiry alone."""

    def authenticate(self, request: Request) -> tuple[Any, Any]:
        scheme, _, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        members = self.members(value) if scheme.lower() == "bearer" else {}
        if not members.get("active") or members["exp"] <= time.time():
            raise AuthenticationFailed("invalid token")
        return Principal(members), members

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def members(self, value: str) -> dict[str, Any]:
        raise NotImplementedError


class SQLFloor(Floor):
    def members(self, value: str) -> dict[str, Any]:
        return members_by_sql(value)


def found() -> dict[str, Any]:
    exp = int(time.time()) + 3600
    return {"active": True, "scope": "read", "client_id": "benchmark", "username": "user-1", "exp": exp, "sub": "1"}


class DictionaryFloor(Floor):
    kept: ClassVar[dict[str, dict[str, Any]]] = {}

    def members(self, value: str) -> dict[str, Any]:
        name = sha256(value)
        known = self.kept.get(name)
        if known is None:
            known = self.kept[name] = found()
        return known


class RedisFloor(Floor):
    def members(self, value: str) -> dict[str, Any]:
        name = f"floor:{sha256(value)}"
        known = cache.get(name)
        if known is None:
            known = json.dumps(found())
            cache.set(name, known, 3600)
        members: dict[str, Any] = json.loads(known)
        return members


class BySQL(Resource):
    authentication_classes = [SQLFloor]


class ByDictionary(Resource):
    authentication_classes = [DictionaryFloor]


class ByRedis(Resource):
    authentication_classes = [RedisFloor]
