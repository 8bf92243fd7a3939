"""The public names as a typed project uses them: checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_type

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet

from django_introspection import TokenInfo, aintrospect, introspect, token_backends
from django_introspection.authentication import IntrospectionAuthentication, presented_token
from django_introspection.backends import DatabaseBackend, RemoteBackend, TokenBackend
from django_introspection.decorators import token_required
from django_introspection.exceptions import ExchangeRefused, IntrospectionUnavailable, InvalidBackend, InvalidResponse
from django_introspection.models import Client, Token
from django_introspection.permissions import (
    HasScope,
    requires_authorization_details,
    requires_claim,
    requires_scope,
    requires_step_up,
)
from django_introspection.resource_server.users import TokenUser
from django_introspection.services import (
    ObtainedToken,
    aexchange_token,
    aservice_token,
    exchange_token,
    service_token,
)
from django_introspection.throttling import ClientRateThrottle
from django_introspection.types import AuthenticatedHttpRequest, AuthenticatedRequest, TokenInfoMixin


class Orders(APIView):
    authentication_classes = [IntrospectionAuthentication.using("partner")]
    permission_classes = [HasScope, requires_scope("orders:read") | IsAdminUser]
    required_scopes = {"GET": ["orders:read"]}

    def get(self, request: AuthenticatedRequest) -> Response:
        info = request.auth
        assert_type(info, TokenInfo)
        assert_type(info.scopes, frozenset[str])
        assert_type(info.audiences, tuple[str, ...])
        assert_type(info.expires_at, datetime | None)
        assert_type(info.sub, str | None)
        assert_type(info.confirmation, Mapping[str, Any] | None)
        assert_type(info.to_dict(), dict[str, Any])
        return Response({"for": str(request.user)})

    def post(self, request: Request) -> Response:
        if isinstance(request.auth, TokenInfo):
            assert_type(request.auth.sub, str | None)
        return Response()


class OrderViewSet(TokenInfoMixin, ModelViewSet[Any]):
    authentication_classes = [IntrospectionAuthentication]
    permission_classes = [HasScope]
    required_scopes = {"list": {"orders:list"}, "GET": ("orders:read",)}

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        assert_type(self.token_info, TokenInfo)
        return Response({"for": self.token_info.sub})


class Forms(IntrospectionAuthentication):
    bearer_methods = ("header", "body")


class ByRole(APIView):
    authentication_classes = [IntrospectionAuthentication]
    permission_classes = [
        requires_claim("roles", "seller", "admin"),
        requires_claim(["realm_access", "roles"], "seller") & requires_scope("orders:read") | IsAdminUser,
        requires_claim(("account", "verified"), True) | requires_claim("level", 2),
        requires_step_up(acr_values=["mfa"], max_age=300) & requires_scope("orders:write"),
        requires_authorization_details("payment_initiation", actions=["initiate"]) | IsAdminUser,
    ]

    def get(self, request: AuthenticatedRequest) -> Response:
        assert_type(request.auth.has_claim(["realm_access", "roles"], "admin"), bool)
        return Response()


class ByAction(APIView):
    authentication_classes = [Forms]
    permission_classes = [HasScope]
    throttle_classes = [ClientRateThrottle]
    required_scopes = {"list": ["orders:list"], "GET": ["orders:read"]}


@token_required(scope="orders:read", using="partner")
def plain(request: AuthenticatedHttpRequest, number: int) -> HttpResponse:
    assert_type(request.token_info, TokenInfo)
    return HttpResponse(str(request.user))


@token_required(scope="orders:read", claim=[requires_claim("roles", "seller"), requires_step_up(max_age=300)])
def sellers(request: AuthenticatedHttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user))


@token_required()
async def asynchronous(request: AuthenticatedHttpRequest) -> HttpResponse:
    return HttpResponse(request.token_info.sub or "")


assert_type(plain(AuthenticatedHttpRequest(), 1), HttpResponse)
urlpatterns = [path("plain/<int:number>", plain), path("asynchronous", asynchronous)]


@method_decorator(token_required(scope="orders:read"), name="dispatch")
class Plain(View):
    pass


@token_required(scope="orders:read")
class Decorated(TokenInfoMixin, View):
    def get(self, request: AuthenticatedHttpRequest) -> HttpResponse:
        assert_type(self.token_info.scopes, frozenset[str])
        return HttpResponse()


assert_type(Decorated, type[Decorated])


def resolver(user: TokenUser, request: HttpRequest) -> Any:
    assert_type(user.token_info.sub, str | None)
    return user


def register_and_issue(user: Any) -> tuple[str, str | None]:
    client, secret = Client.objects.register(client_name="Orders API", resources=["https://api.example.com/orders"])
    assert_type(client, Client)
    assert_type(secret, str | None)
    issued = Token.objects.issue(client=client, user=user, scope="orders:read", refresh=True)
    assert_type(issued.token, Token)
    return issued.access_token, issued.refresh_token


def ask(token: str) -> str | None:
    try:
        info = introspect(token, using="default")
    except InvalidResponse:
        return None
    except IntrospectionUnavailable as unavailable:
        assert_type(unavailable.retry_after, int)
        return None
    assert_type(info, TokenInfo | None)
    return info.client_id if info else None


async def ask_without_blocking(token: str) -> None:
    assert_type(await aintrospect(token), TokenInfo | None)


def backend(alias: str) -> TokenBackend | None:
    try:
        return token_backends[alias]
    except InvalidBackend:
        return None


BACKENDS: list[type[TokenBackend]] = [DatabaseBackend, RemoteBackend]


def call_for_the_user(request: Request) -> ObtainedToken | None:
    try:
        token = exchange_token("billing", presented_token(request), scope="bills:read")
    except ExchangeRefused as refused:
        assert_type(refused.error, str)
        assert_type(refused.members, Mapping[str, Any])
        return None
    assert_type(token.headers, dict[str, str])
    assert_type(token.expires_at, datetime | None)
    return exchange_token("billing", presented_token(request), other_than=token)


async def call_for_itself(request: HttpRequest) -> None:
    token = await aservice_token("stock")
    assert_type(token.value, str)
    assert_type(service_token("stock", other_than=token), ObtainedToken)
    assert_type(await aexchange_token("billing", presented_token(request)), ObtainedToken)
