"""What the checks say of views and middleware."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from django.conf import settings as project
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views import View
from rest_framework.authentication import BasicAuthentication, SessionAuthentication, TokenAuthentication
from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticated
from rest_framework.viewsets import ViewSet

from django_introspection.authentication import IntrospectionAuthentication as Ours
from django_introspection.check_messages import TAG
from django_introspection.decorators import token_required
from django_introspection.permissions import HasScope, requires_claim, requires_scope
from tests.settings import MIDDLEWARE, TOKEN_INTROSPECTION

from .protected import ask, protect

READ = requires_scope("orders:read")
OWN_URLS = [
    path("oauth/", include("django_introspection.urls")),
    path("", include("django_introspection.well_known_urls")),
]
PROTECTED = {**TOKEN_INTROSPECTION, "PROTECTED_PATHS": {"/api/": {}}}
MINE = "django_introspection.middleware.ProtectedPaths"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


class KeywordBearer(TokenAuthentication):
    keyword = "Bearer"


class KeywordDPoP(TokenAuthentication):
    keyword = "DPoP"


class Proving(Ours):
    schemes = ("DPoP",)


class Shouting(SessionAuthentication):
    def __init__(self) -> None:
        raise RuntimeError("not outside of a request")


def said_of(*views: Any) -> list[str]:
    """Return the ids of what the checks say of a URL conf with these views, below an include."""
    inner = ModuleType("inner")
    inner.urlpatterns = [path(f"{number}", view) for number, view in enumerate(views)]
    outer = ModuleType("outer")
    outer.urlpatterns = [path("api/", include(inner)), *OWN_URLS]
    backends = {"partner": TOKEN_INTROSPECTION["BACKENDS"]["default"], **project.TOKEN_INTROSPECTION["BACKENDS"]}
    values = {**project.TOKEN_INTROSPECTION, "BACKENDS": backends}
    with override_settings(ROOT_URLCONF=outer, TOKEN_INTROSPECTION=values):
        return [str(message.id).removeprefix(f"{TAG}.") for message in checks.run_checks(tags=[TAG])]


def view(*authenticators: Any, **attributes: Any) -> Any:
    return protect(authentication_classes=list(authenticators), **attributes).as_view()


@pytest.mark.parametrize("other", [SessionAuthentication, BasicAuthentication, TokenAuthentication, Shouting])
def test_an_authenticator_before_ours_hides_the_challenge(other: Any) -> None:
    assert said_of(view(other, Ours)) == ["W011"]
    assert said_of(view(Ours, other)) == []
    assert said_of(view(other)) == []


@pytest.mark.parametrize(
    ("permissions", "said"),
    [
        ([], []),
        ([AllowAny], []),
        ([READ], []),
        ([HasScope], []),
        ([READ | IsAdminUser], []),
        ([requires_claim("roles", "seller")], []),
        ([requires_claim("roles", "seller") | IsAdminUser], []),
        ([IsAuthenticated], ["W011"]),
        ([READ, IsAdminUser], ["W011"]),
    ],
)
def test_no_challenge_is_hidden_where_nobody_needs_it_or_the_scope_brings_it(permissions: Any, said: Any) -> None:
    mixed = view(SessionAuthentication, Ours, permission_classes=permissions, required_scopes=[])

    assert said_of(mixed) == said


@pytest.mark.parametrize(
    "pair",
    [[Ours, KeywordBearer], [KeywordBearer, Ours], [Ours, Ours.using("partner")], [Ours, SessionAuthentication, Ours]],
    ids=["ours first", "ours last", "two aliases", "twice"],
)
def test_two_readers_of_bearer_tokens_on_one_view_are_found(pair: list[Any]) -> None:
    assert said_of(view(*pair)) == ["W012"]


def test_a_view_is_spoken_of_once_and_every_view_is_seen() -> None:
    class Orders(ViewSet):
        authentication_classes = [SessionAuthentication, Ours]
        permission_classes = [IsAuthenticated]

        def list(self, request: Any) -> None: ...

    twice = view(Ours, KeywordBearer)

    assert said_of(twice, twice) == ["W012"]
    assert sorted(said_of(Orders.as_view({"get": "list"}), twice)) == ["W011", "W012"]


@pytest.mark.parametrize("declared", [None, "orders:read", {"GET": "orders:read"}, {"GET": ['"']}])
def test_scopes_that_are_no_scopes_are_found_before_a_request_is(declared: Any) -> None:
    assert said_of(view(Ours, permission_classes=[HasScope], required_scopes=declared)) == ["E013"]
    assert said_of(view(Ours, permission_classes=[IsAdminUser | HasScope], required_scopes=declared)) == ["E013"]
    assert said_of(view(Ours, permission_classes=[READ], required_scopes=declared)) == []


def test_the_check_of_scopes_does_not_use_an_iterator_up() -> None:
    names = map("orders:{}".format, ["read", "write"])
    broken = view(Ours, permission_classes=[HasScope], required_scopes=names)

    assert said_of(broken) == said_of(broken) == ["E013"]
    assert list(names) == ["orders:read", "orders:write"]


@pytest.mark.parametrize("methods", ["header", None, 7, (["header"],), (), ("body",), ("header", "query")])
def test_ways_to_send_a_token_that_do_not_exist_are_found(methods: Any) -> None:
    strange = type("Strange", (Ours,), {"bearer_methods": methods})

    assert said_of(view(strange)) == ["E014"]
    assert said_of(view(type("Forms", (Ours,), {"bearer_methods": ("header", "body")}))) == []


@pytest.mark.parametrize("schemes", ["DPoP", None, 7, ([],), (), ("dpop",), ("Bearer", "Bearer"), ("Basic",)])
def test_schemes_that_do_not_exist_are_found(schemes: Any) -> None:
    assert said_of(view(type("Strange", (Ours,), {"schemes": schemes}))) == ["E025"]
    assert said_of(view(Proving), view(type("Two", (Ours,), {"schemes": ["DPoP", "Bearer"]}))) == []


def said_everywhere(settings: Any, **values: Any) -> list[str]:
    """Return what is said of a view, a decorated function and class, and a path, each of which takes proofs."""
    settings.MIDDLEWARE = [*MIDDLEWARE, MINE]
    values = {"PROTECTED_PATHS": {"/api/": {"SCHEMES": ["DPoP"]}}, **values}
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, **values}
    decorated = method_decorator(token_required(schemes=("DPoP",)), name="dispatch")(type("Plain", (View,), {}))
    function = token_required(schemes=("Bearer", "DPoP"))(lambda request: None)
    return said_of(view(Proving), view(Proving), decorated.as_view(), function)


@pytest.mark.requirement("9449-4.3-c")
def test_each_place_that_accepts_proofs_without_an_origin_is_reported(settings: Any) -> None:
    own = {"BACKEND": "django_introspection.backends.DatabaseBackend"}
    named, unnamed = ({"default": {**own, "OPTIONS": {"audience": each}}} for each in ("orders", None))

    assert said_everywhere(settings) == []
    assert sorted(said_everywhere(settings, BACKENDS=named)) == [*["E027"] * 4, "W013"]
    assert said_everywhere(settings, BACKENDS=unnamed) == ["E027"] * 4
    assert said_everywhere(settings, BACKENDS=unnamed, ORIGINS=["https://api.example.com"]) == []
    said_everywhere(settings, BACKENDS=unnamed)
    with pytest.raises(ImproperlyConfigured, match="ORIGINS"):
        ask(protect(authentication_classes=[Proving]), headers={"Authorization": "DPoP t"})


def test_without_the_extra_that_verifies_proofs_each_place_that_takes_one_is_found(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_introspection.jose.find_spec", lambda name: None)

    assert said_everywhere(settings) == ["E026"] * 4
    with pytest.raises(ImproperlyConfigured, match=r"django-introspection\[jwt\]"):
        ask(protect(authentication_classes=[Proving]), headers={"Authorization": "DPoP t"})


@pytest.mark.parametrize("schemes", ["DPoP", [], ["dpop"], 7, None, [7]])
def test_schemes_of_a_path_that_do_not_exist_are_a_wrong_setting(settings: Any, schemes: Any) -> None:
    assert "E002" in said_everywhere(settings, PROTECTED_PATHS={"/api/": {"SCHEMES": schemes}})


@pytest.mark.parametrize(
    "origins", ["https://h.example", ["https://h.example/"], ["https://h.example/api"], ["http://h.example"], [7], [""]]
)
def test_what_is_no_origin_is_a_wrong_setting(settings: Any, origins: Any) -> None:
    assert "E002" in said_everywhere(settings, ORIGINS=origins)


def test_a_nonce_is_wanted_or_not(settings: Any) -> None:
    assert "E002" in said_everywhere(settings, DPOP_NONCE="yes")


def test_a_cache_that_would_accept_a_proof_once_in_each_process_is_found(settings: Any) -> None:
    shared = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://cache.example.com"}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}, "shared": shared}
    urls = ModuleType("urls")
    urls.urlpatterns = [path("orders", view(Proving))]

    def said(**values: Any) -> list[str]:
        settings.TOKEN_INTROSPECTION = {"BACKENDS": TOKEN_INTROSPECTION["BACKENDS"], **values}
        with override_settings(ROOT_URLCONF=urls):
            found = checks.run_checks(tags=[TAG], include_deployment_checks=True)
        return [message.msg for message in found if message.id == f"{TAG}.E046"]

    (message,) = said()
    assert "is not set, and DPoP proofs could be used twice: the cache 'default' is not shared" in message
    assert said(REPLAY_CACHE="shared") == []


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ([Ours, Proving], []),
        ([Proving, KeywordBearer], []),
        ([Ours, KeywordDPoP], []),
        ([Proving, KeywordDPoP], ["W012"]),
        ([Proving, Proving.using("partner")], ["W012"]),
        ([SessionAuthentication, Proving], ["W011"]),
    ],
)
def test_two_readers_are_in_the_way_of_each_other_by_scheme(pair: list[Any], said: list[str]) -> None:
    assert said_of(view(*pair)) == said


def test_a_url_conf_that_cannot_be_imported_is_not_ours_to_tell() -> None:
    with override_settings(ROOT_URLCONF="tests.no_such_urls"):
        assert checks.run_checks(tags=[TAG]) == []


@pytest.mark.parametrize(
    ("middleware", "said"),
    [
        ([*MIDDLEWARE, MINE], []),
        ([MINE, *MIDDLEWARE], ["E011"]),
        (MIDDLEWARE, ["E010"]),
        ([MINE], []),
        ([*MIDDLEWARE, "tests.no.such"], ["E010"]),
    ],
)
def test_a_middleware_that_is_missing_or_too_early_is_an_error(middleware: list[str], said: list[str]) -> None:
    with override_settings(MIDDLEWARE=middleware, TOKEN_INTROSPECTION=PROTECTED):
        assert [str(message.id) for message in checks.run_checks(tags=[TAG])] == [f"{TAG}.{each}" for each in said]
    with override_settings(MIDDLEWARE=middleware):
        assert checks.run_checks(tags=[TAG]) == []
