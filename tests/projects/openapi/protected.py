"""Views behind every kind of scope declaration."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.permissions import HasScope, requires_claim, requires_scope

Read, Write, Audit = (requires_scope(f"orders:{scope}") for scope in ("read", "write", "audit"))


class ByProof(IntrospectionAuthentication):
    schemes = ("DPoP",)


class ByWord(IntrospectionAuthentication):
    schemes = ("Api-Key", "Token")


class Protected(APIView):
    authentication_classes: list[Any] = [IntrospectionAuthentication]

    @extend_schema(request=None, responses=str)
    def get(self, request: Request) -> Response:
        return Response()

    @extend_schema(request=None, responses=str)
    def post(self, request: Request) -> Response:
        return Response()


class Actions(ViewSet):
    authentication_classes = [IntrospectionAuthentication]
    permission_classes = [HasScope]
    required_scopes = {"list": ["orders:list"], "GET": ["orders:read"], "POST": ["orders:write"]}

    @extend_schema(request=None, responses=str)
    def list(self, request: Request) -> Response:
        return Response()

    @extend_schema(request=None, responses=str)
    def create(self, request: Request) -> Response:
        return Response()


def protected(name: str, *permissions: Any, **attributes: Any) -> Any:
    view = type(name, (Protected,), {"permission_classes": permissions, **attributes})
    return path(name, view.as_view())


urlpatterns = [
    protected("none"),
    protected("authenticated", IsAuthenticated),
    protected("open", AllowAny),
    protected("list", HasScope, required_scopes=["orders:write", "orders:read"]),
    protected("by-method", HasScope, required_scopes={"GET": ["orders:read"]}),
    path("by-action", Actions.as_view({"get": "list", "post": "create"})),
    protected("class", requires_scope("b", "a")),
    protected("both", Read, Write),
    protected("and", Read & Write),
    protected("or", Read | Write),
    protected("or-other", Read | IsAuthenticated),
    protected("claim", requires_claim("roles", "seller")),
    protected("claim-and-scope", requires_claim("roles", "seller") & Read),
    protected("claim-or-scope", requires_claim("roles", "seller") | Read),
    protected("nested", (Read | Write) & Audit),
    protected("partner", Read, authentication_classes=[IntrospectionAuthentication.using("partner")]),
    protected("by-proof", Read, authentication_classes=[ByProof]),
    protected("by-word", Read, authentication_classes=[ByWord]),
]
