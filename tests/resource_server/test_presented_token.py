"""The token of a request for a view that exchanges it: only one that was accepted."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from django_introspection.authentication import IntrospectionAuthentication, presented_token
from django_introspection.decorators import token_required
from django_introspection.middleware import ProtectedPaths
from tests import factories

from .protected import ask, protect

pytestmark = pytest.mark.django_db
FORM = "application/x-www-form-urlencoded"


class Forms(IntrospectionAuthentication):
    bearer_methods = ("header", "body")


def reading(**attributes: Any) -> Any:
    """Return a view that answers with the token that it sees; only a test may show one."""

    def run(self: Any, request: Request) -> Response:
        return Response({"token": presented_token(request), "data": request.data})

    return protect(get=run, post=run, **attributes)


@pytest.fixture
def token() -> str:
    value: str = factories.TokenFactory().access_token
    return value


def test_a_view_of_drf_gets_the_token_of_the_header(token: str) -> None:
    assert ask(reading(), token).data["token"] == token


def test_a_view_of_drf_gets_the_token_of_a_form(token: str) -> None:
    body = urlencode({"access_token": token, "number": "7"})
    request = APIRequestFactory().generic("post", "/orders", body, FORM)

    data = reading(authentication_classes=[Forms]).as_view()(request).data

    assert data["token"] == token
    assert data["data"]["number"] == "7"


def test_a_plain_view_gets_it(token: str) -> None:
    @token_required()
    def view(request: Any) -> HttpResponse:
        return HttpResponse(presented_token(request))

    request = RequestFactory().get("/", headers={"Authorization": f"Bearer {token}"})

    assert view(request).content.decode() == token


def test_a_view_behind_the_middleware_gets_it(token: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "PROTECTED_PATHS": {"/": {}}}
    middleware = ProtectedPaths(lambda request: HttpResponse(presented_token(request)))
    request = RequestFactory().get("/", headers={"Authorization": f"Bearer {token}"})

    assert middleware(request).content.decode() == token


@pytest.mark.parametrize("sent", [None, "Bearer unknown", "Basic YTpi"])
def test_a_token_that_was_not_accepted_is_none(sent: str | None) -> None:
    """A view without our authentication class has accepted nothing, whatever the request says."""
    view = reading(authentication_classes=[], permission_classes=[AllowAny])

    with pytest.raises(ValueError, match="No access token has been accepted for this request"):
        ask(view, headers={} if sent is None else {"Authorization": sent})


def test_a_header_that_was_changed_after_the_check_is_not_believed(token: str) -> None:
    def run(self: Any, request: Request) -> Response:
        request._request.META["HTTP_AUTHORIZATION"] = f"Bearer {factories.TokenFactory().access_token}"
        return Response(presented_token(request))

    with pytest.raises(ValueError, match="No access token"):
        ask(protect(get=run), token)


def test_a_body_that_a_view_has_read_is_left_alone(token: str) -> None:
    """The token is in the header; reading the body again would fail."""
    request = APIRequestFactory().generic(
        "post", "/orders", "number=7", FORM, headers={"Authorization": f"Bearer {token}"}
    )

    def run(self: Any, request: Request) -> Response:
        return Response({"number": request.data["number"], "token": presented_token(request)})

    assert protect(post=run).as_view()(request).data == {"number": "7", "token": token}
