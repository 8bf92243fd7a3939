"""Whole parts of a site: which requests are asked for a token, and that none slips by."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpRequest, JsonResponse
from django.test import AsyncClient, override_settings
from django.test import Client as Browser
from django.test.client import RequestFactory
from django.urls import path, re_path
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_introspection.exceptions import InvalidSetting
from django_introspection.middleware import ProtectedPaths
from tests import factories
from tests.misbehaving.server import MisbehavingServer
from tests.settings import MIDDLEWARE, TOKEN_INTROSPECTION

from .protected import TOKEN, assert_refused, challenge_of, protect

MINE = "django_introspection.middleware.ProtectedPaths"
HEADER = {"Authorization": f"Bearer {TOKEN}"}


def open_view(request: Any, rest: str = "") -> JsonResponse:
    info = getattr(request, "token_info", None)
    return JsonResponse({"user": str(request.user), "sub": info and info.sub})


async def async_view(request: Any) -> JsonResponse:
    return JsonResponse({"user": str(await request.auser()), "sub": request.token_info.sub})


class BySession(APIView):
    authentication_classes = [SessionAuthentication]

    def post(self, request: Request) -> Response:
        return Response({"user": str(request.user)})


urls = ModuleType("urls")
urls.urlpatterns = [
    path("api/orders", open_view),
    path("api/async", async_view),
    path("api/drf", protect(permission_classes=[]).as_view()),
    path("api/session", BySession.as_view()),
    re_path(r"^(?P<rest>.*)\Z", open_view),
]
PATHS = {"/api/": {"SCOPE": "orders:read"}, "/api/partner/": {"USING": "partner"}}


@pytest.fixture
def remote(authorization_server: MisbehavingServer, settings: Any) -> MisbehavingServer:
    """Two servers that say the same, and paths that are protected by either."""
    backend = authorization_server.settings()["BACKENDS"]["default"]
    partner = {**backend, "OPTIONS": {**backend["OPTIONS"], "issuer": "https://partner.example"}}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": backend, "partner": partner}, "PROTECTED_PATHS": PATHS}
    settings.MIDDLEWARE = [*MIDDLEWARE, MINE]
    settings.ROOT_URLCONF = urls
    authorization_server.behave("active", sub="42", username="anna", scope="orders:read")
    return authorization_server


def get(path: str, **headers: str) -> Any:
    return Browser(enforce_csrf_checks=True).get(path, headers=headers)


def aget(path: str, **headers: str) -> Any:
    return async_to_sync(AsyncClient(enforce_csrf_checks=True).get)(path, headers=headers)


@pytest.mark.django_db
@pytest.mark.parametrize("ask", [get, aget])
@pytest.mark.parametrize("path", ["/api/orders", "/api/async", "/api", "/api/", "/api/anything"])
def test_below_a_path_a_token_is_needed_and_the_view_is_told_whose(ask: Any, path: str, remote: Any) -> None:
    assert_refused(ask(path), 401, None)
    assert ask(path, **HEADER).json() == {"user": "anna", "sub": "42"}


@pytest.mark.django_db
@pytest.mark.parametrize("ask", [get, aget])
def test_each_refusal_has_the_status_and_challenge_of_its_cause(ask: Any, remote: MisbehavingServer) -> None:
    assert_refused(ask("/api/orders", Authorization="Bearer a b"), 400, "invalid_request")
    remote.behave("active", scope="other")
    weak = ask("/api/orders", **HEADER)
    assert_refused(weak, 403, "insufficient_scope")
    assert challenge_of(weak)[1]["scope"] == "orders:read"
    remote.behave("inactive")
    assert_refused(ask("/api/orders", **HEADER), 401, "invalid_token")
    remote.behave("status 500")
    response = ask("/api/orders", **HEADER)
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0


@pytest.mark.parametrize("path", ["/", "/apis", "/api-docs", "/apiorders", "/other/api/orders", "/api.html"])
@pytest.mark.django_db
def test_elsewhere_nothing_is_asked(path: str, remote: MisbehavingServer) -> None:
    assert get(path, **HEADER).json() == {"user": "AnonymousUser", "sub": None}
    assert remote.requests == []


@pytest.mark.django_db
def test_a_script_name_is_not_part_of_the_path(remote: MisbehavingServer) -> None:
    def ask(path_info: str, script_name: str) -> int:
        middleware = ProtectedPaths(lambda request: JsonResponse({}))
        return middleware(RequestFactory().get(path_info, SCRIPT_NAME=script_name)).status_code

    assert ask("/api/orders", "/shop") == 401
    assert ask("/orders", "/api") == 200
    with override_settings(FORCE_SCRIPT_NAME="/shop"):
        assert ask("/api/orders", "") == 401


@pytest.mark.django_db
@pytest.mark.parametrize("asynchronous", [False, True])
def test_requests_that_may_change_something_can_need_another_scope(
    asynchronous: bool, remote: MisbehavingServer, settings: Any
) -> None:
    paths = {"/api/": {"SCOPE": "orders:read", "WRITE_SCOPE": "orders:write"}}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "PROTECTED_PATHS": paths}

    async def aask(method: str) -> Any:
        return await AsyncClient().generic(method, "/api/orders", headers=HEADER)

    def status(method: str) -> int:
        response: Any = (
            async_to_sync(aask)(method) if asynchronous else Browser().generic(method, "/api/orders", headers=HEADER)
        )
        code: int = response.status_code
        return code

    safe, other = ["GET", "HEAD", "OPTIONS", "TRACE"], ["POST", "PUT", "PATCH", "DELETE", "PURGE"]
    assert [status(method) for method in [*safe, *other]] == [200] * 4 + [403] * 5
    remote.behave("active", scope="orders:write")
    assert [status(method) for method in [*safe, *other]] == [403] * 4 + [200] * 5


@pytest.mark.django_db
def test_the_longest_path_decides(remote: MisbehavingServer) -> None:
    remote.behave("active", iss="https://partner.example", scope="")
    assert get("/api/partner/x", **HEADER).status_code == 200
    assert_refused(get("/api/orders", **HEADER), 403, "insufficient_scope")
    remote.behave("active", iss="https://other.example", scope="orders:read")
    assert_refused(get("/api/partner", **HEADER), 401, "invalid_token")
    assert get("/api/orders", **HEADER).status_code == 200


@pytest.mark.parametrize("root", ["/", "//"])
@pytest.mark.django_db
def test_the_root_protects_everything(root: str, remote: MisbehavingServer, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "PROTECTED_PATHS": {root: {}}}

    for asked in ("/", "/x", "/%2F", "/api"):
        assert_refused(get(asked), 401, None)


@pytest.mark.django_db
def test_a_view_of_drf_that_asks_for_a_token_itself_costs_no_second_call(remote: MisbehavingServer) -> None:
    assert get("/api/drf", **HEADER).json() == {"user": "anna"}
    assert len(remote.requests) == 1


@pytest.mark.django_db
def test_a_token_needs_no_csrf_token_and_a_session_still_does(remote: MisbehavingServer) -> None:
    browser = Browser(enforce_csrf_checks=True)
    assert browser.post("/api/orders", headers=HEADER).status_code == 200
    assert browser.post("/api/session", headers=HEADER).json() == {"user": "anna"}
    browser.force_login(factories.UserFactory())
    assert browser.post("/other").status_code == 403
    assert_refused(browser.post("/api/orders"), 401, None)


@pytest.mark.django_db
@pytest.mark.requirement("6750-5.3-b", "6750-2.3-a")
def test_a_token_comes_in_the_header_or_not_at_all(remote: MisbehavingServer) -> None:
    browser = Browser()
    browser.cookies["access_token"] = TOKEN
    assert_refused(browser.get("/api/orders"), 401, None)
    assert_refused(browser.get(f"/api/orders?access_token={TOKEN}"), 401, None)
    assert_refused(browser.post("/api/orders", {"access_token": TOKEN}), 401, None)
    assert remote.requests == []


@pytest.mark.parametrize(
    "protected",
    [
        [],
        "/api/",
        {"api/": {}},
        {7: {}},
        {"/api/": None},
        {"/api/": {"SCOPES": "a"}},
        {"/api/": {"SCOPE": ["a"]}},
        {"/api/": {"SCOPE": 'a"b'}},
        {"/api/": {"SCOPE": "a  b"}},
        {"/api/": {"USING": "nobody"}},
        {"/api/": {"USING": []}},
    ],
)
def test_a_server_with_a_wrong_setting_does_not_start(protected: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "PROTECTED_PATHS": protected}

    with pytest.raises(InvalidSetting, match="PROTECTED_PATHS"):
        ProtectedPaths(lambda request: JsonResponse({}))


def test_an_error_of_the_source_lets_nobody_in(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "PROTECTED_PATHS": {"/": {}}}

    def never(request: HttpRequest) -> JsonResponse:
        pytest.fail("the view was reached")

    middleware = ProtectedPaths(never)
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {}}
    with pytest.raises(InvalidSetting):
        middleware(RequestFactory().get("/", headers=HEADER))


@pytest.mark.parametrize("asks", [Browser, AsyncClient], ids=["sync", "async"])
@pytest.mark.parametrize("path", ["/plain/", "/de/orders/", "/cartX"])
@pytest.mark.django_db
def test_before_the_csrf_check_every_path_of_a_protected_view_takes_a_token(
    path: str, asks: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    backends = authorization_server.settings()["BACKENDS"]
    protected: dict[str, Any] = {"/orders/": {}, "/cart/": {}, "/plain/": {}}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": backends, "PROTECTED_PATHS": protected}
    csrf = "django.middleware.csrf.CsrfViewMiddleware"
    others = [each for each in MIDDLEWARE if each != csrf]
    settings.MIDDLEWARE = [others[0], "django.middleware.locale.LocaleMiddleware", *others[1:], MINE, csrf]
    settings.ROOT_URLCONF = urls_with_languages
    settings.LANGUAGES = [("en", "English"), ("de", "German")]
    authorization_server.behave("active", sub="42", scope="orders:read")
    browser = asks(enforce_csrf_checks=True)
    post = browser.post if asks is Browser else async_to_sync(browser.post)

    assert post(path, headers=HEADER).status_code == 200
    assert post(path).status_code == 401


urls_with_languages = ModuleType("urls_with_languages")
urls_with_languages.urlpatterns = [
    *i18n_patterns(path("orders/", open_view)),
    re_path(r"^cart", open_view),
    path("plain/", open_view),
]
