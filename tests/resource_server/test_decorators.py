"""Plain Django views: functions and classes, sync and async."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpRequest, JsonResponse
from django.test import AsyncClient, override_settings
from django.test import Client as Browser
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from rest_framework.decorators import api_view
from rest_framework.views import APIView

from django_introspection.decorators import token_required
from django_introspection.exceptions import InvalidDeclaration
from django_introspection.models import Token
from tests import factories
from tests.authorization_server.helpers import without_table
from tests.misbehaving.server import MisbehavingServer
from tests.settings import MIDDLEWARE

from .protected import TOKEN, assert_refused, challenge_of

STRICT = [*MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]


def said(request: Any) -> JsonResponse:
    return JsonResponse(
        {"user": str(request.user), "sub": request.token_info.sub, "scopes": sorted(request.token_info.scopes)}
    )


@token_required(scope="orders:read")
def function(request: HttpRequest) -> JsonResponse:
    return said(request)


@token_required(scope="orders:read")
async def coroutine(request: Any) -> JsonResponse:
    assert await request.auser() == request.user
    return said(request)


@method_decorator(token_required(scope="orders:read"), name="dispatch")
class Class(View):
    def get(self, request: HttpRequest) -> JsonResponse:
        return said(request)

    def post(self, request: HttpRequest) -> JsonResponse:
        return said(request)


@method_decorator(token_required(scope="orders:read"), name="dispatch")
class AsyncClass(View):
    async def get(self, request: HttpRequest) -> JsonResponse:
        return said(request)

    async def post(self, request: HttpRequest) -> JsonResponse:
        return said(request)


@token_required(scope="orders:read")
class DecoratedClass(View):
    def get(self, request: HttpRequest) -> JsonResponse:
        return said(request)

    def post(self, request: HttpRequest) -> JsonResponse:
        return said(request)


@token_required(scope="orders:read")
class DecoratedAsyncClass(View):
    async def get(self, request: HttpRequest) -> JsonResponse:
        return said(request)

    async def post(self, request: HttpRequest) -> JsonResponse:
        return said(request)


class DecoratedDispatch(Class):
    @token_required(scope="orders:read")
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super(Class, self).dispatch(request, *args, **kwargs)


class DecoratedAsyncDispatch(DecoratedAsyncClass):
    @token_required(scope="orders:read")
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super(DecoratedAsyncClass, self).dispatch(request, *args, **kwargs)


VIEWS = {
    "decorated class": DecoratedClass.as_view(),
    "decorated async class": DecoratedAsyncClass.as_view(),
    "decorated dispatch": DecoratedDispatch.as_view(),
    "decorated async dispatch": DecoratedAsyncDispatch.as_view(),
    "function": function,
    "coroutine": coroutine,
    "class": Class.as_view(),
    "async class": AsyncClass.as_view(),
}
urls = ModuleType("urls")
urls.urlpatterns = [path(name.replace(" ", "-"), view) for name, view in VIEWS.items()]
PATHS = [f"/{name.replace(' ', '-')}" for name in VIEWS]


@pytest.fixture(autouse=True)
def project() -> Any:
    with override_settings(ROOT_URLCONF=urls, MIDDLEWARE=STRICT):
        yield


def ask(path: str, token: str | None = None, *, method: str = "get", authorization: str | None = None) -> Any:
    """Ask as an ASGI server does, with the checks of CSRF and login on."""
    sent = authorization or (f"Bearer {token}" if token is not None else None)
    headers = {} if sent is None else {"Authorization": sent}
    return async_to_sync(getattr(AsyncClient(enforce_csrf_checks=True), method))(path, headers=headers)


@pytest.fixture
def remote(authorization_server: MisbehavingServer) -> MisbehavingServer:
    authorization_server.behave("active", sub="42", username="anna", client_id="app", scope="orders:read")
    return authorization_server


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_good_token_opens_the_view(path: str, method: str, remote: MisbehavingServer) -> None:
    response = ask(path, TOKEN, method=method)

    assert response.status_code == 200
    assert response.json() == {"user": "anna", "sub": "42", "scopes": ["orders:read"]}
    assert len(remote.requests) == 1


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["get", "post"])
def test_each_refusal_has_the_status_and_challenge_of_its_cause(
    path: str, method: str, remote: MisbehavingServer
) -> None:
    without = ask(path, method=method)
    assert_refused(without, 401, None)
    assert challenge_of(without)[1]["scope"] == "orders:read"
    assert_refused(ask(path, method=method, authorization="Bearer a b"), 400, "invalid_request")
    assert_refused(ask(path, "a,b", method=method), 401, "invalid_token")
    remote.behave("inactive")
    assert_refused(ask(path, TOKEN, method=method), 401, "invalid_token")
    remote.behave("active", scope="orders:write")
    weak = ask(path, TOKEN, method=method)
    assert_refused(weak, 403, "insufficient_scope")
    assert challenge_of(weak)[1]["scope"] == "orders:read"
    remote.behave("status 500")
    unavailable = ask(path, TOKEN, method=method)
    assert unavailable.status_code == 503
    assert int(unavailable["Retry-After"]) > 0
    assert "WWW-Authenticate" not in unavailable


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_a_local_token_opens_a_wsgi_view_for_its_local_user(path: str) -> None:
    user = factories.UserFactory(username="berta")
    token = factories.TokenFactory(user=user).access_token

    response = Browser(enforce_csrf_checks=True).post(path, headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 200
    assert response.json()["user"] == "berta"


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_a_local_token_opens_the_view_of_an_asgi_server(path: str) -> None:
    token = factories.TokenFactory().access_token

    assert ask(path, token, method="post").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_answer_is_503() -> None:
    token = factories.TokenFactory().access_token
    with without_table(Token):
        response = Browser().get("/function", headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 503


def test_what_the_view_says_of_itself_is_kept() -> None:
    def orders(request: HttpRequest) -> JsonResponse:
        """List orders."""
        return said(request)

    assert token_required()(orders).__doc__ == "List orders."
    assert token_required()(orders).__name__ == "orders"


@pytest.mark.parametrize("scope", ["orders:read ", 'a"b', "a  b", "a\nb"])
def test_a_broken_scope_is_an_error_when_the_module_is_imported(scope: str) -> None:
    with pytest.raises(ValueError, match="scope"):
        token_required(scope=scope)


def test_a_decorator_without_its_brackets_protects_nothing_and_says_so() -> None:
    with pytest.raises(TypeError, match=r"needs brackets: @token_required\(\)\.$"):
        token_required(function)  # type: ignore[arg-type]  # the mistake under test


def test_a_single_handler_cannot_be_protected_and_the_error_says_what_can() -> None:
    """Django asks for CSRF and login before a handler runs, by what it reads from `dispatch`."""
    with pytest.raises(TypeError, match=r"Handlers\.post: put token_required on the class or on its dispatch"):

        class Handlers(View):
            @token_required()
            def post(self, request: HttpRequest) -> JsonResponse:
                return said(request)

    with pytest.raises(TypeError, match="put token_required on the class"):

        class AsyncHandlers(View):
            @token_required()
            async def get(self, request: HttpRequest) -> JsonResponse:
                return said(request)


def test_a_class_that_is_no_django_view_is_refused_with_advice(rf: Any) -> None:
    with pytest.raises(TypeError, match="in Django REST framework use IntrospectionAuthentication"):
        token_required()(APIView)
    with pytest.raises(TypeError, match=r"functions and subclasses of django\.views\.View"):
        token_required()(SimpleNamespace)

    @api_view()
    @token_required()
    def orders(request: Any) -> Any:
        pytest.fail("the view was reached")

    with pytest.raises(InvalidDeclaration, match="in Django REST framework use IntrospectionAuthentication"):
        orders(rf.get("/"))


def test_a_decorated_class_is_still_the_class() -> None:
    assert isinstance(DecoratedClass, type)
    assert DecoratedClass.__name__ == "DecoratedClass"
    assert issubclass(DecoratedClass, View)


def test_a_session_is_no_token(rf: Any, remote: MisbehavingServer) -> None:
    request = rf.get("/")
    request.user = SimpleNamespace(is_authenticated=True, is_superuser=True)

    assert_refused(function(request), 401, None)


def test_d1_d22_d30_the_parameters_of_a_request_are_its_own(rf: Any, remote: MisbehavingServer) -> None:
    header = {"Authorization": f"Bearer {TOKEN}"}

    assert_refused(function(rf.get(f"/?access_token={TOKEN}&oauth2_error=x")), 401, None)
    assert_refused(function(rf.post("/", {"access_token": TOKEN, "oauth2_error": "x"})), 401, None)
    assert_refused(function(rf.get(f"/?access_token={TOKEN}", headers=header)), 400, "invalid_request")
    assert function(rf.get("/?q=%zz&oauth2_error=x", headers=header)).status_code == 200


def test_d8_a_missing_scope_costs_one_call_each_time(rf: Any, remote: MisbehavingServer) -> None:
    remote.behave("active", scope="other")
    assert_refused(function(rf.get("/", headers={"Authorization": f"Bearer {TOKEN}"})), 403, "insufficient_scope")

    assert len(remote.requests) == 1


def test_d23_the_token_of_a_client_has_a_user(rf: Any, remote: MisbehavingServer) -> None:
    remote.behave("active", sub=None, client_id="app", scope="orders:read")
    request = rf.get("/", headers={"Authorization": f"Bearer {TOKEN}"})

    assert function(request).status_code == 200
    assert request.user.is_authenticated
    assert request.user.is_client


def test_two_faces_in_the_way_of_one_request_ask_once(rf: Any, remote: MisbehavingServer) -> None:
    twice = token_required(scope="orders:read")(token_required()(function))

    assert twice(rf.get("/", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
    assert len(remote.requests) == 1
