"""Protected paths and every way to write a path: what the resolver runs is what is protected."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction
from django.conf.urls.i18n import i18n_patterns
from django.core.handlers.asgi import ASGIRequest
from django.http import JsonResponse
from django.test import AsyncRequestFactory, RequestFactory, override_settings
from django.test.client import AsyncClientHandler, ClientHandler
from django.urls import include, path, re_path
from django.utils.functional import lazystr
from django.utils.translation import get_language
from rest_framework.routers import DefaultRouter
from rest_framework.viewsets import ViewSet

from tests.misbehaving.server import MisbehavingServer

from .protected import TOKEN, assert_refused, challenge_of, error_of

MINE = "django_introspection.middleware.ProtectedPaths"
HEADER = {"Authorization": f"Bearer {TOKEN}"}


def view(request: Any, **kwargs: Any) -> JsonResponse:
    """Show what ran, and for whom: a request that nothing asked for a token has no `token_info`."""
    return JsonResponse({"kwargs": kwargs, "sub": getattr(getattr(request, "token_info", None), "sub", None)})


class Orders(ViewSet):
    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []

    def list(self, request: Any, format: str | None = None) -> Any:  # noqa: A002 - the name that DRF gives it
        return view(request._request)


router = DefaultRouter()
router.register("orders", Orders, basename="order")

urls = ModuleType("urls")
urls.urlpatterns = [
    re_path(r"^api/graphql", view),
    re_path(r"^api/admin/wipe", view),
    path("api/<str:kind>/<str:pk>", view),
    path("internal/<path:rest>", view),
    re_path(r"reports/daily\Z", view),
    re_path(r"hooks/", include([path("sent", view)])),
    re_path(r"(?i)^secrets/list$", view),
    path("", include(router.urls)),
    *i18n_patterns(path("account/", view), prefix_default_language=False),
    re_path(r"^v1.0/orders$", view),
    re_path(r"^v2.0/", include([re_path(r"^(a).b/(?P<rest>.*)$", view)])),
    re_path(r"^(?P<rest>open/.*)\Z", view),
]
PATHS: dict[str, Any] = {
    "/api/": {"SCOPE": "read"},
    "/api/admin/": {"SCOPE": "admin"},
    "/internal": {},
    "/reports/": {},
    "/hooks/": {},
    "/secrets/": {},
    "/orders/": {},
    "/account/": {},
    "/v1.0/": {},
    "/v2.0/a.b/": {},
}


@pytest.fixture(autouse=True)
def remote(authorization_server: MisbehavingServer, settings: Any) -> MisbehavingServer:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "PROTECTED_PATHS": PATHS}
    settings.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware", MINE]
    settings.ROOT_URLCONF = urls
    settings.LANGUAGE_CODE = "en"
    authorization_server.behave("active", sub="42", scope="read")
    return authorization_server


def get(path_info: str, **headers: str) -> Any:
    """Send a path as a WSGI server hands it over: decoded once."""
    request = RequestFactory().get("/", headers=headers, PATH_INFO=path_info.encode().decode("latin-1"))
    handler = ClientHandler()
    handler.load_middleware()
    return handler.get_response(request)


def aget(path_info: str, **headers: str) -> Any:
    """Send a path as an ASGI server hands it over."""
    request = AsyncRequestFactory().get("/", headers=headers)
    request.path_info = path_info
    handler = AsyncClientHandler()
    handler.load_middleware(is_async=True)
    return async_to_sync(handler.get_response_async)(request)


both = pytest.mark.parametrize("ask", [get, aget])


@both
@pytest.mark.parametrize("scope", ["read", "export"])
def test_each_path_as_which_a_view_can_be_read_is_asked_about(
    ask: Any, scope: str, remote: MisbehavingServer, settings: Any
) -> None:
    """With the format suffix it is below one protected path, and without it below another."""
    module = ModuleType("urls")
    module.urlpatterns = i18n_patterns(path("files/orders.<format>", view))  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = module
    protected = {"/files/": {"SCOPE": "read"}, "/files/orders/": {"SCOPE": "export"}}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "PROTECTED_PATHS": protected}

    remote.behave("active", sub="42", scope=scope)
    assert_refused(ask("/en/files/orders.json", **HEADER), 403, "insufficient_scope")
    remote.behave("active", sub="42", scope="read export")
    assert ask("/en/files/orders.json", **HEADER).status_code == 200


READ_BY_ALL_AS_PROTECTED = [
    "/api/graphql",
    "/api//graphql",
    "//api/graphql",
    "/api/../api/graphql",
    "/api/./graphql",
    "/API/graphql",
    "/api/%2e/graphql",
    "/internal/a%2fb",
    "/secrets/l\N{LATIN SMALL LETTER DOTLESS I}st",
    "/SECRET\N{LATIN SMALL LETTER LONG S}/list",
]


@both
def test_a_path_that_every_reader_takes_for_a_protected_one_needs_its_token(ask: Any) -> None:
    assert refusals(ask, READ_BY_ALL_AS_PROTECTED) == dict.fromkeys(READ_BY_ALL_AS_PROTECTED, (401, None))


def refusals(ask: Any, paths: Iterable[str], **headers: str) -> dict[str, tuple[int, str | None]]:
    """Return the status and the error code for each path."""
    asked = {path_info: ask(path_info, **headers) for path_info in paths}
    return {path_info: (response.status_code, error_of(response)) for path_info, response in asked.items()}


AMBIGUOUS = [
    "/api/graphql/../../x",
    "/api/graphql/%2e%2e/%2e%2e/x",
    "/api/graphql/%252e%252e/%252e%252e/x",
    "/api/../5",
    "/internal/a/../../x",
    "/internal/..\\x",
    "/api/admin/wipe/../../x",
    "/api//admin/wipe",
    "/./api/graphql",
    "/open/../api/graphql",
    "/open/..%2fapi/graphql",
    "/open/%2e%2e/api/graphql",
    "/open/.%2e%5capi",
    "/open/..;/api/graphql",
    "/api;v=1/graphql",
    "/%61pi/graphql",
    "/api%2fgraphql",
    "/api%252fgraphql",
    "/%25252561pi/graphql",
    "/api\\graphql",
    "/api\n",
    "/api%0a",
    "/api\0/graphql",
    "/api\x85",
    "/ api/graphql",
    "/api /graphql",
    "/api\t/graphql",
    "/api?x",
    "/api%3fx",
    "/api#x",
    "/open/" + "%252525253b;x\\/ /./" * 300,
]


@both
def test_a_path_that_two_readers_protect_differently_is_malformed(ask: Any, remote: MisbehavingServer) -> None:
    expected = dict.fromkeys(AMBIGUOUS, (400, "invalid_request"))

    assert refusals(ask, AMBIGUOUS) == expected
    assert refusals(ask, AMBIGUOUS, **HEADER) == expected
    assert remote.requests == []


OPEN = ["/open/a b", "/open//x", "/open/../open/x", "/open/100%", "/open/a%2fb", "/open/;x", "/open/apis", "/open/api/",
        "/open/https://example.com/?q=1#top", "/open/a\\b", "/open/caf\N{LATIN SMALL LETTER E WITH ACUTE}"]  # fmt: skip


@both
def test_an_open_path_stays_open_however_it_is_written(ask: Any) -> None:
    for path_info in OPEN:
        response = ask(path_info)
        assert response.status_code == 200, path_info
        assert b'"sub": null' in response.content


NAMED_BY_A_PART = {
    "/x/reports/daily": "expression without a start",
    "/reports-of/reports/daily": "expression without a start, after a similar name",
    "/x/hooks/sent": "include without a start",
    "/orders.json": "format suffix",
    "/orders.json/": "format suffix and slash",
    "/de/account/": "language prefix",
    "/account/": "no language prefix",
    "/v1x0/orders": "a dot for any character",
    "/v1/0/orders": "a dot for a slash",
    "/v2x0/axb/c": "dots of an include and of an expression in it",
}


@both
def test_a_view_that_a_part_of_the_path_names_needs_the_token_as_well(ask: Any) -> None:
    assert refusals(ask, NAMED_BY_A_PART) == dict.fromkeys(NAMED_BY_A_PART, (401, None))
    for path_info, case in NAMED_BY_A_PART.items():
        assert b'"sub": "42"' in ask(path_info, **HEADER).content, case


@both
def test_a_dot_that_is_one_and_a_part_that_is_free_stay_as_they_are(ask: Any) -> None:
    assert refusals(ask, ["/v1.0/orders", "/v2.0/a.b/x.y"]) == dict.fromkeys(
        ["/v1.0/orders", "/v2.0/a.b/x.y"], (401, None)
    )
    for path_info in ("/open/v1x0/orders", "/open/v1.0/orders"):
        assert b'"sub": null' in ask(path_info).content


@both
def test_the_end_of_a_path_that_its_pattern_does_not_read_opens_nothing(ask: Any, settings: Any) -> None:
    protected = {"/api/graphql": {"SCOPE": "read"}, "/api/": {"SCOPE": "other"}}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "PROTECTED_PATHS": protected}

    refused = ask("/api/graphqlX", **HEADER)

    assert_refused(refused, 403, "insufficient_scope")
    assert challenge_of(refused)[1]["scope"] == "other"
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "PROTECTED_PATHS": {"/api/graphql": {}}}
    assert_refused(ask("/api/graphqlX"), 401, None)


@both
def test_no_path_is_taken_for_a_wider_one(ask: Any, remote: MisbehavingServer) -> None:
    """A token for /api/ opens nothing below /api/admin/, in whatever words it is asked."""
    for path_info in (
        "/api/admin/wipe",
        "/api/admin/wipeX",
        "/API/ADMIN/wipe",
        "/api/admin//wipe",
        "/x/api/admin/wipe",
    ):
        assert ask(path_info, **HEADER).status_code in (403, 404), path_info
    remote.behave("active", sub="42", scope="admin")
    assert ask("/api/admin/wipe", **HEADER).status_code == 200
    assert_refused(ask("/api/graphql", **HEADER), 403, "insufficient_scope")


@both
def test_a_path_that_a_later_middleware_rewrites_is_the_one_that_counts(ask: Any, settings: Any) -> None:
    settings.MIDDLEWARE = [MINE, f"{__name__}.below_open"]

    assert_refused(ask("/open/api/graphql"), 401, None)
    assert_refused(ask("/open/api/graphql/../../x"), 400, "invalid_request")
    assert ask("/open/api/graphql", **HEADER).status_code == 200


def below_open(get_response: Any) -> Any:
    """Rewrite paths as a middleware does that takes a version or a tenant out of them."""

    def middleware(request: Any) -> Any:
        request.path_info = request.path_info.removeprefix("/open")
        return get_response(request)

    async def amiddleware(request: Any) -> Any:
        request.path_info = request.path_info.removeprefix("/open")
        return await get_response(request)

    return markcoroutinefunction(amiddleware) if iscoroutinefunction(get_response) else middleware


below_open.async_capable = True  # type: ignore[attr-defined]  # how Django is told


@both
def test_the_url_conf_of_a_request_is_the_one_that_is_read(ask: Any, settings: Any) -> None:
    settings.MIDDLEWARE = [MINE, f"{__name__}.other_urls"]

    assert_refused(ask("/x/reports/monthly"), 401, None)


others = ModuleType("others")
others.urlpatterns = [re_path("reports/monthly", view)]


def other_urls(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        request.urlconf = others
        return get_response(request)

    return middleware


@both
def test_a_translated_expression_is_read_in_the_language_of_the_request(ask: Any, settings: Any) -> None:
    """The first request is in a language whose expression reads all of the path."""
    translated = ModuleType("translated")
    translated.urlpatterns = [re_path(lazystr(Expression()), view)]
    settings.ROOT_URLCONF = translated

    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "PROTECTED_PATHS": {"/reports/daily": {}}}

    assert ask("/reports/daily", **HEADER, **{"Accept-Language": "en"}).status_code == 200
    assert_refused(ask("/reports/dailyX", **{"Accept-Language": "de"}), 401, None)


class Expression:
    """An expression with an end in English, and without one in German."""

    def __str__(self) -> str:
        return "^reports/daily$" if get_language() == "en" else "^reports/daily"


@both
def test_below_a_script_name_the_rest_of_the_path_counts(ask: Any) -> None:
    with override_settings(FORCE_SCRIPT_NAME="/api"):
        assert ask("/open/x").status_code == 200
        assert_refused(ask("/api/graphql"), 401, None)
    with override_settings(FORCE_SCRIPT_NAME="/shop"):
        assert_refused(ask("/api/graphql"), 401, None)


def test_an_asgi_server_that_names_a_root_path_protects_what_the_resolver_gets() -> None:
    scope = {**AsyncRequestFactory()._base_scope(), "method": "GET", "path": "/shop/api/graphql", "root_path": "/shop"}
    handler = AsyncClientHandler()
    handler.load_middleware(is_async=True)

    response = async_to_sync(handler.get_response_async)(ASGIRequest(scope, BytesIO()))

    assert_refused(response, 401, None)


def test_bytes_that_are_no_utf8_are_read_as_the_resolver_reads_them() -> None:
    request = RequestFactory().get("/", PATH_INFO="/internal/\xff\xfe")
    handler = ClientHandler()
    handler.load_middleware()

    assert request.path_info == "/internal/%FF%FE"
    assert_refused(handler.get_response(request), 401, None)


@pytest.mark.parametrize("prefix", ["/api/../x/", "/api/./", "/caf%C3%A9/", "/api\\x", "/api\n", "/api;x", "/api?x"])
def test_a_protected_path_is_written_in_the_one_way_that_everybody_reads_alike(prefix: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "PROTECTED_PATHS": {prefix: {}}}

    with pytest.raises(Exception, match="PROTECTED_PATHS"):
        get("/")


def test_one_path_is_protected_in_one_way(settings: Any) -> None:
    twice = {"/api/": {"SCOPE": "read"}, "/API": {}}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "PROTECTED_PATHS": twice}

    with pytest.raises(Exception, match="PROTECTED_PATHS"):
        get("/")
