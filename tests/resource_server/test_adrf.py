"""Async views of the package adrf, which takes our sync class as it is: it runs it off the event loop."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from adrf.views import APIView
from adrf.viewsets import ViewSet
from asgiref.sync import async_to_sync
from django.test import AsyncClient, override_settings
from django.urls import path
from rest_framework.permissions import IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.permissions import HasScope, requires_claim, requires_scope
from django_introspection.throttling import ClientRateThrottle
from tests import factories
from tests.misbehaving.server import MisbehavingServer

from .protected import TOKEN, assert_refused, challenge_of

pytestmark = pytest.mark.django_db
READ = requires_scope("orders:read")


class AsyncPermission(IsAuthenticated):
    async def has_permission(self, request: Request, view: Any) -> bool:  # type: ignore[override]  # adrf's form
        return True


class Throttle(ClientRateThrottle):
    rate = "1000/min"


def view(*permissions: Any) -> Any:
    class Orders(APIView):
        authentication_classes = [IntrospectionAuthentication]
        permission_classes = permissions
        throttle_classes = [Throttle]

        async def get(self, request: Request) -> Response:
            return Response({"user": str(request.user), "sub": request.auth.sub})

    return Orders.as_view()


class Archive(ViewSet):
    authentication_classes = [IntrospectionAuthentication]
    permission_classes = [HasScope]
    required_scopes = {"alist": ["orders:list"]}

    async def alist(self, request: Request) -> Response:
        return Response({"user": str(request.user), "sub": request.auth.sub})


VIEWS = {
    "alone": (view(READ), "orders:read"),
    "or": (view(READ | IsAdminUser), "orders:read"),
    "and": (view(IsAuthenticated & READ), "orders:read"),
    "beside": (view(IsAuthenticated, READ), "orders:read"),
    "beside-async": (view(AsyncPermission, READ), "orders:read"),
    "action": (Archive.as_view({"get": "alist"}), "orders:list"),
}
urls = ModuleType("urls")
urls.urlpatterns = [path(name, view) for name, (view, _) in VIEWS.items()]
urls.urlpatterns += [path("claim", view(AsyncPermission, requires_claim("roles", "seller")))]


@pytest.fixture(autouse=True)
def project() -> Any:
    with override_settings(ROOT_URLCONF=urls):
        yield


def ask(name: str, token: str | None = None) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return async_to_sync(AsyncClient().get)(f"/{name}", headers=headers)


@pytest.mark.parametrize("name", VIEWS)
def test_a_good_token_opens_an_async_view(name: str, authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("active", sub="42", username="anna", scope=VIEWS[name][1])

    assert ask(name, TOKEN).json() == {"user": "anna", "sub": "42"}
    assert len(authorization_server.requests) == 1


@pytest.mark.parametrize("name", VIEWS)
def test_each_refusal_of_an_async_view_has_its_status_and_challenge(
    name: str, authorization_server: MisbehavingServer
) -> None:
    assert_refused(ask(name), 401, None)
    assert_refused(ask(name, "a b"), 400, "invalid_request")
    authorization_server.behave("active", scope="other")
    weak = ask(name, TOKEN)
    assert_refused(weak, 403, "insufficient_scope")
    assert challenge_of(weak)[1]["scope"] == VIEWS[name][1]
    authorization_server.behave("inactive")
    assert_refused(ask(name, TOKEN), 401, "invalid_token")
    authorization_server.behave("status 500")
    assert ask(name, TOKEN).status_code == 503


def test_a_local_token_is_looked_up_off_the_event_loop() -> None:
    user = factories.UserFactory(username="berta")

    assert ask("alone", factories.TokenFactory(user=user).access_token).json()["user"] == "berta"


def test_a_claim_opens_an_async_view_and_its_absence_is_refused(authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("active", sub="42", roles=["seller"])
    assert ask("claim", TOKEN).json()["sub"] == "42"

    authorization_server.behave("active", sub="42", roles=["buyer"])
    assert_refused(ask("claim", TOKEN), 403, None)
    assert_refused(ask("claim"), 401, None)
