"""Mistakes that make a view answer 401, 403 or 500 for ever: each is found before the first request, with its place."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core import checks
from django.core.management import call_command
from django.http import HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import include, path
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission, IsAdminUser, IsAuthenticated
from rest_framework.routers import DefaultRouter
from rest_framework.settings import api_settings
from rest_framework.viewsets import ViewSet

from django_introspection.authentication import IntrospectionAuthentication as Ours
from django_introspection.check_messages import TAG
from django_introspection.decorators import token_required
from django_introspection.forward_auth import verify
from django_introspection.permissions import HasScope, requires_claim, requires_scope, requires_step_up
from tests.settings import TOKEN_INTROSPECTION

from .protected import ask, protect

READ = requires_scope("orders:read")
SELLER = requires_claim("roles", "seller")
STEP_UP = requires_step_up(max_age=300)
RESOURCES = {"https://api.example.com/orders": {"SCOPES": ["orders:read", "orders:write"]}}


OWN_URLS = (
    path("oauth/", include("django_introspection.urls")),
    path("", include("django_introspection.well_known_urls")),
)


def found(*patterns: Any, own_urls: Any = OWN_URLS, **settings: Any) -> list[checks.CheckMessage]:
    """Run our checks in a project with these URL patterns."""
    urls = ModuleType("urls")
    urls.urlpatterns = [*patterns, *own_urls]
    with override_settings(**{"ROOT_URLCONF": urls, **settings}):
        return checks.run_checks(tags=[TAG])


def ids(messages: list[checks.CheckMessage]) -> list[str]:
    return [str(message.id).removeprefix(f"{TAG}.") for message in messages]


def routed(*views: Any) -> list[Any]:
    return [path(f"{number}", getattr(view, "as_view", lambda view=view: view)()) for number, view in enumerate(views)]


@token_required(scope="orders:raed", using="partnr")
def report(request: Any) -> HttpResponse:
    return HttpResponse()


# Backends


@pytest.mark.django_db
def test_a_resource_server_without_a_backend_is_an_error_that_the_doctor_repeats(
    settings: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.apps import apps
    from django.core.management.base import CommandError

    from django_introspection.resource_server import checks as ours

    settings.TOKEN_INTROSPECTION = {"BACKENDS": {}}
    monkeypatch.setattr(apps, "is_installed", lambda name: name != "django_introspection")
    (message,) = ours.check_backends()
    assert (message.id, message.level) == (f"{TAG}.E040", checks.ERROR)
    assert message.msg == "TOKEN_INTROSPECTION['BACKENDS'] is empty: no token can be accepted."
    with pytest.raises((SystemExit, CommandError)):
        call_command("introspection_doctor")
    assert "E040" in capsys.readouterr().out


def test_a_project_that_only_calls_other_apis_needs_no_backend(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.apps import apps

    from django_introspection.resource_server import checks as ours

    settings.TOKEN_INTROSPECTION = {"BACKENDS": {}, "SERVICES": {"billing": {}}}
    monkeypatch.setattr(apps, "is_installed", lambda name: name != "django_introspection")
    for patterns, expected in (([], []), (routed(protect()), ["E040"])):
        urls = ModuleType("urls")
        urls.urlpatterns = patterns
        settings.ROOT_URLCONF = urls
        assert ids(ours.check_backends()) == expected


def test_a_view_without_any_backend_is_an_error_in_the_full_app_too() -> None:
    assert ids(found(TOKEN_INTROSPECTION={"BACKENDS": {}})) == []
    assert ids(found(*routed(protect()), TOKEN_INTROSPECTION={"BACKENDS": {}})) == ["E040"]


def test_an_alias_that_does_not_exist_is_an_error_at_the_place_that_names_it() -> None:
    partner = {"partner": TOKEN_INTROSPECTION["BACKENDS"]["default"]}
    view = protect(authentication_classes=[Ours.using("partnr")])
    messages = found(*routed(view, protect(), report), TOKEN_INTROSPECTION={"BACKENDS": partner})

    assert ids(messages) == ["E041"] * 3
    assert [message.obj for message in messages] == [
        "tests.resource_server.protected.Orders",
        "tests.resource_server.protected.Orders",
        f"{__name__}.report",
    ]
    assert messages[0].msg == "It names the token backend 'partnr', which does not exist (did you mean 'partner'?)."
    assert ids(found(*routed(protect()))) == []


# Scopes


@pytest.mark.parametrize("authenticators", [[], [SessionAuthentication]])
@pytest.mark.parametrize("permission", [HasScope, READ, READ & IsAuthenticated, SELLER, SELLER | READ, STEP_UP])
def test_a_permission_that_reads_tokens_without_our_authentication_is_found(
    authenticators: Any, permission: Any
) -> None:
    view = protect(authentication_classes=authenticators, permission_classes=[permission], required_scopes=["a"])
    (message,) = found(*routed(view))

    assert (message.id, message.level) == (f"{TAG}.W053", checks.WARNING)
    assert message.obj == f"{view.__module__}.Orders"


@pytest.mark.parametrize("maker", [requires_claim, requires_scope, requires_step_up])
def test_a_function_that_makes_a_permission_is_no_permission(maker: Any) -> None:
    view = protect(permission_classes=[IsAuthenticated, maker])
    with pytest.raises((TypeError, ValueError)):
        ask(view)
    (message,) = found(*routed(view))

    assert (message.id, message.level) == (f"{TAG}.E047", checks.ERROR)
    assert message.msg == f"Its permission_classes have the function {maker.__name__} itself, which makes a permission."
    chosen = property(lambda self: [SELLER])
    for permissions in ([IsAuthenticated, READ, SELLER, READ | IsAdminUser], (SELLER,), chosen, None):
        assert found(*routed(protect(permission_classes=permissions))) == []


def test_authenticators_that_the_view_chooses_itself_are_its_own_business() -> None:
    class Choosing(protect(permission_classes=[READ], authentication_classes=[])):  # type: ignore[misc]
        def get_authenticators(self) -> list[Any]:
            return [Ours()]

    assert found(*routed(Choosing)) == []
    for alternative in (READ | IsAdminUser, IsAdminUser | SELLER):
        assert found(*routed(protect(permission_classes=[alternative], authentication_classes=[]))) == []


def test_a_method_in_lower_case_is_an_error_because_it_is_never_read() -> None:
    wrong = protect(permission_classes=[HasScope], required_scopes={"get": ["a"], "POST": ["b"]})
    right = protect(permission_classes=[HasScope], required_scopes={"GET": ["a"], "OPTIONS": [], "DELETE": ["c"]})
    (message,) = found(*routed(wrong, right))

    assert (message.id, message.level) == (f"{TAG}.E042", checks.ERROR)
    assert message.msg == "Its required_scopes name the method 'get', which is read in capitals only: 'GET'."


class Orders(ViewSet):
    authentication_classes = [Ours]
    permission_classes = [HasScope]
    required_scopes = {"list": ["a"], "retrive": ["a"], "POST": ["b"]}

    def list(self, request: Any) -> None: ...

    def retrieve(self, request: Any) -> None: ...


def test_an_unknown_method_or_action_is_reported_with_a_suggestion() -> None:
    (message,) = found(path("a", Orders.as_view({"get": "list"})), path("b", Orders.as_view({"get": "retrieve"})))

    assert (message.id, message.level) == (f"{TAG}.W054", checks.WARNING)
    assert message.obj == f"{__name__}.Orders"
    assert message.msg == (
        "Its required_scopes name 'retrive', which is neither a method nor an action of the view"
        " (did you mean 'retrieve'?)."
    )


def test_a_scope_that_no_resource_has_is_found_wherever_it_is_required() -> None:
    values = {**TOKEN_INTROSPECTION, "RESOURCES": RESOURCES}
    by_method = protect(
        permission_classes=[HasScope], required_scopes={"GET": ["orders:read"], "POST": ["orders:wirte"]}
    )
    by_class = protect(permission_classes=[IsAdminUser | requires_scope("orders:raed")])
    decorated = token_required(scope="orders:raed")(lambda request: None)
    paths = {"/api/": {"SCOPE": "invoices"}}
    middleware = ["django_introspection.middleware.ProtectedPaths"]

    messages = found(
        *routed(by_method, by_class, decorated, protect(permission_classes=[READ])), TOKEN_INTROSPECTION=values
    )
    assert ids(messages) == ["W055"] * 3
    assert messages[0].msg == (
        "It requires the scope 'orders:wirte', which no resource of RESOURCES has (did you mean 'orders:write'?)."
    )
    assert "test_misconfiguration" in str(messages[2].obj)

    values |= {"PROTECTED_PATHS": paths}
    (message,) = found(TOKEN_INTROSPECTION=values, MIDDLEWARE=middleware)
    assert (message.id, message.obj) == (f"{TAG}.W055", "TOKEN_INTROSPECTION['PROTECTED_PATHS']['/api/']")


def test_a_scope_of_a_path_of_forward_authentication_is_found() -> None:
    values = {**TOKEN_INTROSPECTION, "RESOURCES": RESOURCES}
    paths = {"/orders/": {"SCOPE": "orders:read", "WRITE_SCOPE": "orders:wirte"}}

    (message,) = found(path("verify/", verify(scope="orders:read", paths=paths)), TOKEN_INTROSPECTION=values)

    assert message.id == f"{TAG}.W055"
    assert "(did you mean 'orders:write'?)" in message.msg
    assert "paths['/orders/']" in str(message.obj)


def test_scopes_are_not_compared_with_resources_that_name_none() -> None:
    for resources in ({}, {"urn:orders": {}}, {**RESOURCES, "urn:orders": {}}):
        values = {**TOKEN_INTROSPECTION, "RESOURCES": resources}
        assert ids(found(*routed(protect(permission_classes=[requires_scope("a")])), TOKEN_INTROSPECTION=values)) == []


def test_scopes_that_are_not_set_are_named_with_the_module_of_their_view() -> None:
    (message,) = found(*routed(protect(permission_classes=[HasScope])))
    assert message.msg == "tests.resource_server.protected.Orders.required_scopes is not set."

    (message,) = found(*routed(protect(permission_classes=[HasScope], required_scopes="a")))
    assert message.msg == (
        "tests.resource_server.protected.Orders.required_scopes must be a list, tuple or set of scopes,"
        " or a dictionary of them by method or action."
    )


# Permission classes of other packages


def foreign(module: str, name: str = "TokenHasScope") -> Any:
    return type(name, (BasePermission,), {"__module__": module})


DOT = "oauth2_provider.contrib.rest_framework.permissions"
ALLAUTH = "allauth.idp.oidc.contrib.rest_framework.permissions"


@pytest.mark.parametrize("module", [DOT, ALLAUTH])
@pytest.mark.parametrize("compose", [lambda each: each, lambda each: IsAdminUser | each, lambda each: ~each])
def test_a_permission_that_knows_only_tokens_of_another_package_is_an_error(module: str, compose: Any) -> None:
    derived = type("Mine", (foreign(module),), {})
    view = protect(permission_classes=[IsAuthenticated, compose(derived)])
    (message,) = found(*routed(view))

    assert (message.id, message.level) == (f"{TAG}.E043", checks.ERROR)
    assert "Mine" in message.msg
    assert (
        ids(found(*routed(protect(authentication_classes=[SessionAuthentication], permission_classes=[derived])))) == []
    )


def test_the_one_that_takes_our_tokens_for_a_session_is_said_to_open_the_view() -> None:
    (message,) = found(*routed(protect(permission_classes=[foreign(DOT, "IsAuthenticatedOrTokenHasScope")])))

    assert message.id == f"{TAG}.E043"
    assert "every token" in message.msg


# One message for one cause, at its place


def test_one_cause_is_said_once_however_often_a_view_is_routed() -> None:
    class Mixed(ViewSet):
        authentication_classes = [SessionAuthentication, Ours]
        permission_classes = [IsAuthenticated]

        def list(self, request: Any) -> None: ...

        def retrieve(self, request: Any, pk: Any) -> None: ...

    router = DefaultRouter()
    router.register("orders", Mixed, basename="orders")
    (message,) = found(path("", include(router.urls)))

    assert message.id == f"{TAG}.W011"
    assert message.obj == f"{__name__}.{Mixed.__qualname__}"
    assert "?:" not in str(message)


def test_what_the_defaults_cause_is_said_of_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    from rest_framework.views import APIView

    defaults = [SessionAuthentication, Ours]
    monkeypatch.setattr(APIView, "authentication_classes", defaults)
    monkeypatch.setattr(APIView, "permission_classes", [IsAuthenticated])
    monkeypatch.setattr(api_settings, "DEFAULT_AUTHENTICATION_CLASSES", defaults, raising=False)
    router = DefaultRouter()
    router.register("orders", type("Plain", (ViewSet,), {"list": lambda self, request: None}), basename="orders")
    (message,) = found(path("", include(router.urls)))

    assert (message.id, message.obj) == (f"{TAG}.W011", "REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES']")


# URLs


def test_a_project_without_urls_has_no_traceback() -> None:
    from django.conf import settings

    with override_settings():
        del settings.ROOT_URLCONF
        messages = checks.run_checks(tags=[TAG])

    assert messages == []


def test_documents_below_a_prefix_are_found() -> None:
    below = path("auth/", include("django_introspection.well_known_urls"))
    messages = found(below, path("oauth/", include("django_introspection.urls")), own_urls=())

    assert ids(messages) == ["W051"]
    assert messages[0].msg.startswith("The well-known documents are served below '/auth/.well-known/', ")
    assert messages[0].obj == "ROOT_URLCONF"


def test_endpoints_and_metadata_that_are_not_served_are_found_if_the_server_has_an_issuer() -> None:
    endpoints, documents = (path("", include(f"django_introspection.{name}")) for name in ("urls", "well_known_urls"))

    assert ids(found(documents, own_urls=())) == ["W050"]
    assert ids(found(endpoints, own_urls=())) == ["W052"]
    assert ids(found(endpoints, documents, own_urls=())) == []
    without_issuer = {"BACKENDS": TOKEN_INTROSPECTION["BACKENDS"]}
    assert ids(found(own_urls=(), TOKEN_INTROSPECTION=without_issuer)) == []


# What Python says at once


def test_a_permission_that_is_given_scopes_names_the_function_that_takes_them() -> None:
    with pytest.raises(TypeError, match=r"^HasScope takes no scopes: write requires_scope\('orders:read'\)$"):
        HasScope("orders:read")  # type: ignore[call-arg]


# At the request


@pytest.mark.parametrize("view", [protect(), token_required()(lambda request: HttpResponse())], ids=["DRF", "Django"])
def test_invalid_settings_at_a_request_are_500_and_one_line_of_our_log(
    view: Any, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    urls = ModuleType("urls")
    urls.urlpatterns = routed(view)
    settings.ROOT_URLCONF = urls
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": {"BACKEND": "no.such.Backend"}}}
    browser = Client(raise_request_exception=False)

    assert browser.get("/0").status_code == 401
    answers = [browser.get("/0", headers={"Authorization": "Bearer a-token"}).status_code for _ in range(3)]

    assert answers == [500] * 3
    (record,) = [each for each in caplog.records if each.name == "django_introspection"]
    assert record.levelno == logging.ERROR
    assert "TOKEN_INTROSPECTION['BACKENDS']['default']['BACKEND'] cannot be imported" in record.getMessage()
    assert "a-token" not in caplog.text


def test_an_async_view_is_logged_as_well(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    @token_required()
    async def orders(request: Any) -> HttpResponse:
        return HttpResponse()

    urls = ModuleType("urls")
    urls.urlpatterns = [path("orders", orders)]
    settings.ROOT_URLCONF = urls
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"other": TOKEN_INTROSPECTION["BACKENDS"]["default"]}}
    get = async_to_sync(AsyncClient(raise_request_exception=False).get)

    answers = [get("/orders", headers={"Authorization": "Bearer a-token"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [500, 500]
    (record,) = [each for each in caplog.records if each.name == "django_introspection"]
    assert "TOKEN_INTROSPECTION['BACKENDS']['default'] does not exist" in record.getMessage()
