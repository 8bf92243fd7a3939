"""The types of requests at run time; tests/typing shows them to type checkers."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.views import View
from rest_framework.request import Request
from rest_framework.response import Response

from django_introspection.decorators import token_required
from django_introspection.permissions import requires_scope
from django_introspection.types import AuthenticatedHttpRequest, AuthenticatedRequest, TokenInfoMixin
from tests.misbehaving.server import MisbehavingServer

from .protected import TOKEN, ask, protect


def test_they_are_the_requests_of_django() -> None:
    assert AuthenticatedHttpRequest is HttpRequest
    assert AuthenticatedRequest is Request


def test_the_mixin_finds_the_token_of_either_kind_of_view(authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("active", sub="42", scope="orders:read")
    drf = protect(permission_classes=[requires_scope("orders:read")])

    class ByProperty(TokenInfoMixin, drf):  # type: ignore[misc, valid-type]  # made by a function
        def get(self, request: Request) -> Response:
            return Response({"sub": self.token_info.sub})

    @token_required(scope="orders:read")
    class Plain(TokenInfoMixin, View):
        def get(self, request: Any) -> HttpResponse:
            return HttpResponse(self.token_info.sub)

    assert ask(ByProperty, TOKEN).data == {"sub": "42"}
    request = RequestFactory().get("/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert Plain.as_view()(request).content == b"42"


def test_the_mixin_says_so_if_a_request_came_in_without_a_token() -> None:
    view = TokenInfoMixin()
    view.request = RequestFactory().get("/")

    with pytest.raises(LookupError, match="not authenticated by an access token"):
        _ = view.token_info
