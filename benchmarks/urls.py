"""Our endpoint and protected views, each beside its floor: the least that a view with the same look-ups can cost."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.models import ClientSecret, Token
from django_introspection.protocol.credentials import parse_basic
from django_introspection.protocol.opaque import digest
from tests.views import Whoami


@csrf_exempt
def floor_introspect(request: HttpRequest) -> JsonResponse:
    """Find the client and the token with the ORM and answer: no check of anything."""
    credentials = parse_basic(request.META["HTTP_AUTHORIZATION"].partition(" ")[2])
    ClientSecret.objects.select_related("client").get(
        client__client_id=credentials.client_id, digest=digest(credentials.client_secret)
    )
    token = Token.objects.select_related("client", "user").get(digest=digest(request.POST["token"]))
    return JsonResponse({"active": True, "client_id": token.client.client_id, "scope": token.scope})


def floor_whoami(request: HttpRequest) -> JsonResponse:
    """Find the token with the ORM and answer: no check of anything."""
    value = request.META["HTTP_AUTHORIZATION"].partition(" ")[2]
    token = Token.objects.select_related("client", "user").get(digest=digest(value))
    return JsonResponse({"user": str(token.user_id)})


class DictAuthentication(BaseAuthentication):
    """Find the members in a dictionary of the process: no check but that of the time."""

    members: ClassVar[dict[str, Any]] = {}

    def authenticate(self, request: Request) -> tuple[Any, Any]:
        value = request.META["HTTP_AUTHORIZATION"].partition(" ")[2]
        return user_of(self.found(hashlib.sha256(value.encode()).hexdigest()))

    def found(self, name: str) -> dict[str, Any]:
        return self.members


class CacheAuthentication(DictAuthentication):
    """Find the members with one look into the cache."""

    def found(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(cache.get(f"floor:{name}"))
        return found


def user_of(members: dict[str, Any]) -> tuple[Any, Any]:
    if members["exp"] <= time.time():
        raise PermissionDenied
    return AnonymousUser(), members


def remote_view(authentication: type[BaseAuthentication]) -> Any:
    def get(self: APIView, request: Request) -> Response:
        return Response({"sub": request.auth["sub"]})

    attributes = {"get": get, "authentication_classes": [authentication], "permission_classes": []}
    return type("Remote", (APIView,), attributes).as_view()


urlpatterns = [
    path("remote/memory", remote_view(IntrospectionAuthentication.using("memory"))),
    path("remote/cache", remote_view(IntrospectionAuthentication.using("cache"))),
    path("floor/memory", remote_view(DictAuthentication)),
    path("floor/cache", remote_view(CacheAuthentication)),
    path("oauth/", include("django_introspection.urls")),
    path("whoami", Whoami.as_view()),
    path("floor/introspect", floor_introspect),
    path("floor/whoami", floor_whoami),
]
