"""What the checks say of views and middleware."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from django.core import checks
from django.test import override_settings
from django.urls import include, path
from rest_framework.authentication import BasicAuthentication, SessionAuthentication, TokenAuthentication
from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticated
from rest_framework.viewsets import ViewSet

from django_introspection.authentication import IntrospectionAuthentication as Ours
from django_introspection.check_messages import TAG
from django_introspection.permissions import HasScope, requires_scope
from tests.settings import MIDDLEWARE, TOKEN_INTROSPECTION

from .protected import protect

READ = requires_scope("orders:read")
PROTECTED = {**TOKEN_INTROSPECTION, "PROTECTED": {"/api/": {}}}
MINE = "django_introspection.middleware.ProtectedPaths"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


class KeywordBearer(TokenAuthentication):
    keyword = "Bearer"


class Shouting(SessionAuthentication):
    def __init__(self) -> None:
        raise RuntimeError("not outside of a request")


def said_of(*views: Any) -> list[str]:
    """Return the ids of what the checks say of a URL conf with these views, below an include."""
    inner = ModuleType("inner")
    inner.urlpatterns = [path(f"{number}", view) for number, view in enumerate(views)]
    outer = ModuleType("outer")
    outer.urlpatterns = [path("api/", include(inner))]
    with override_settings(ROOT_URLCONF=outer):
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


@pytest.mark.parametrize("methods", ["header", None, 7, (["header"],), (), ("body",), ("header", "query")])
def test_ways_to_send_a_token_that_do_not_exist_are_found(methods: Any) -> None:
    strange = type("Strange", (Ours,), {"bearer_methods": methods})

    assert said_of(view(strange)) == ["E014"]
    assert said_of(view(type("Forms", (Ours,), {"bearer_methods": ("header", "body")}))) == []


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
