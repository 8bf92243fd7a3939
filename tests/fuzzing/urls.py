from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.response import Response

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.decorators import token_required
from tests.views import Whoami


class Bound(IntrospectionAuthentication):
    schemes = ("Bearer", "DPoP")
    bearer_methods = ("header", "body")


class Orders(Whoami):
    """A view of Django REST framework that takes tokens in every way."""

    authentication_classes = [Bound]

    def post(self, request: Any) -> Response:
        return self.get(request)


@token_required(scope="orders:read")
def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("opened")


@token_required(scope="orders:read", using="jwt")
def by_jwt(request: HttpRequest) -> HttpResponse:
    return HttpResponse("opened")


def behind_the_middleware(request: HttpRequest) -> HttpResponse:
    return HttpResponse("opened")


urlpatterns = [
    path("oauth/", include("django_introspection.urls")),
    path("", include("django_introspection.well_known_urls")),
    path("orders", Orders.as_view()),
    path("plain", plain),
    path("jwt", by_jwt),
    path("protected/orders", behind_the_middleware),
]
