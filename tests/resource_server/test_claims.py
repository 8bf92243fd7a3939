"""Permissions by claim: alone, composed with scopes and other permissions, on every kind of view."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from django.views import View
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny, IsAdminUser

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.decorators import token_required
from django_introspection.permissions import HasScope, requires_claim, requires_scope
from django_introspection.testing import assert_challenge, fake_tokens, token
from django_introspection.testing.challenges import parse_challenges
from tests import factories

from .protected import ask, protect
from .test_permissions import IsPaid, assert_plain, orders

pytestmark = pytest.mark.django_db

Seller, Admin = requires_claim(["realm_access", "roles"], "seller"), requires_claim(["realm_access", "roles"], "admin")
Read, Write = requires_scope("orders:read"), requires_scope("orders:write")


@pytest.fixture(autouse=True)
def tokens() -> Any:
    with fake_tokens():
        yield


def having(*roles: str, scope: str = "", **claims: Any) -> str:
    return token(scope=scope, realm_access={"roles": roles}, **claims)


def assert_claim_missing(response: Any) -> None:
    """Assert that a refusal has a challenge, and promises nothing to a client that asks for another scope."""
    challenge = assert_challenge(response, None, status=403)
    assert challenge.parameters.keys() <= {"realm", "resource_metadata"}


@pytest.mark.requirement("6750-3-a", "6750-3.1-e")
def test_a_role_opens_a_view_and_its_absence_is_403_with_a_challenge_that_names_no_error() -> None:
    view = protect(permission_classes=[Seller])

    assert ask(view, having("buyer", "seller")).status_code == 200
    refused = ask(view, having("buyer"))
    assert_claim_missing(refused)
    assert refused.data == {"detail": "The access token does not have the claim that is needed."}
    assert refused["Content-Type"] == "application/json"
    assert len(view.ran) == 1


def test_what_is_needed_stays_here() -> None:
    refused = ask(protect(permission_classes=[Seller]), having("buyer"))

    assert b"seller" not in refused.content
    assert "realm_access" not in f"{refused.headers} {refused.content!r}"


def test_a_request_without_a_token_is_401_with_a_challenge_whatever_authenticator_comes_first() -> None:
    view = protect(permission_classes=[Seller, Read])
    mixed = protect(
        permission_classes=[Seller], authentication_classes=[SessionAuthentication, IntrospectionAuthentication]
    )

    assert_challenge(ask(view), None, scope="orders:read")
    assert "scope" not in assert_challenge(ask(mixed), None).parameters


def test_any_of_several_values_is_enough_and_all_are_required_by_and() -> None:
    either = protect(permission_classes=[requires_claim(["realm_access", "roles"], "seller", "admin")])
    both = protect(permission_classes=[Seller & Admin])

    assert [ask(either, having(role)).status_code for role in ("seller", "admin")] == [200, 200]
    assert_claim_missing(ask(either, having("buyer")))
    assert ask(both, having("seller", "admin")).status_code == 200
    assert_claim_missing(ask(both, having("seller")))


@pytest.mark.parametrize("composed", [Seller & Read, Read & Seller, [Seller, Read], [Read, Seller]])
def test_scope_and_claim(composed: Any) -> None:
    view = protect(permission_classes=composed if isinstance(composed, list) else [composed])

    assert ask(view, having("seller", scope="orders:read")).status_code == 200
    assert_challenge(ask(view, having("seller")), "insufficient_scope", scope="orders:read")
    assert_claim_missing(ask(view, having("buyer", scope="orders:read")))
    assert_claim_missing(ask(view, having("buyer")))  # with the scope alone it would be refused again


@pytest.mark.parametrize("composed", [Seller | Read, Read | Seller])
def test_scope_or_claim(composed: Any) -> None:
    view = protect(permission_classes=[composed])

    assert ask(view, having("seller")).status_code == 200
    assert ask(view, having("buyer", scope="orders:read")).status_code == 200
    assert_challenge(ask(view, having("buyer")), "insufficient_scope", scope="orders:read")


@pytest.mark.parametrize(
    ("composed", "scope"),
    [
        pytest.param((Seller & Read) | Write, "orders:write", id="the side of scopes alone"),
        pytest.param((Seller & Read) | (Write & Read), "orders:write orders:read", id="though it is longer"),
        pytest.param((Seller | Read) & (Admin | Write), "orders:read orders:write", id="or within and"),
        pytest.param((Seller & Read) | (Admin & Write), None, id="no side of scopes alone"),
        pytest.param(Seller | (Admin & Read), None, id="claims on every side"),
    ],
)
def test_a_scope_is_named_only_if_it_opens_the_view_for_this_token(composed: Any, scope: str | None) -> None:
    refused = ask(protect(permission_classes=[composed]), having("buyer"))

    if scope is None:
        assert_claim_missing(refused)
    else:
        assert_challenge(refused, "insufficient_scope", scope=scope)


def test_claim_and_other_permissions() -> None:
    staff = token(user=factories.UserFactory(is_staff=True))

    for composed in (Seller | IsAdminUser, IsAdminUser | Seller):
        view = protect(permission_classes=[composed])
        assert ask(view, having("seller")).status_code == 200
        assert ask(view, staff).status_code == 200
        assert_claim_missing(ask(view, having("buyer")))
    for permissions in ([Seller & IsPaid], [Seller, IsPaid], [Seller | AllowAny, IsPaid], [IsPaid, Seller]):
        assert_plain(ask(protect(permission_classes=permissions), having("seller")))
    assert_plain(ask(protect(permission_classes=[Seller | AllowAny, IsPaid]), having("buyer")))
    assert ask(protect(permission_classes=[IsPaid]), having()).data["detail"] == "Pay first."


def test_a_view_that_names_no_scope_for_a_method_can_be_opened_by_a_claim() -> None:
    view = protect(permission_classes=[HasScope | Seller], required_scopes={"POST": ["orders:write"]})

    assert ask(view, having("seller")).status_code == 200
    assert_claim_missing(ask(view, having("buyer")))


def test_a_claim_or_the_owner_of_an_object() -> None:
    from .test_permissions import IsOwner

    view = orders(Seller | IsOwner)

    assert ask(view, having("seller")).status_code == 200
    assert ask(view, token(user=factories.UserFactory(username="anna"))).status_code == 200
    assert_claim_missing(ask(view, token(user=factories.UserFactory(username="berta"))))


def test_a_session_has_no_claim() -> None:
    view = protect(
        permission_classes=[Seller], authentication_classes=[IntrospectionAuthentication, SessionAuthentication]
    )

    assert_claim_missing(ask(view, user=factories.UserFactory(is_superuser=True)))


def test_a_subclass_has_a_message_of_its_own() -> None:
    class IsSeller(requires_claim("roles", "seller")):  # type: ignore[misc]  # made at run time
        message = "For sellers."

    assert ask(protect(permission_classes=[IsSeller]), token(roles=["buyer"])).data == {"detail": "For sellers."}
    assert ask(protect(permission_classes=[IsSeller]), token(roles=["seller"])).status_code == 200


def test_a_requirement_is_one_class_and_true_is_not_1() -> None:
    assert requires_claim(["realm_access", "roles"], "seller") is requires_claim(["realm_access", "roles"], "seller")
    assert requires_claim("admin", True) is not requires_claim("admin", 1)
    assert ask(protect(permission_classes=[requires_claim("admin", 1)]), token(admin=True)).status_code == 403
    assert ask(protect(permission_classes=[requires_claim("admin", True)]), token(admin=True)).status_code == 200


def test_values_of_requests_do_not_fill_the_memory() -> None:
    from django_introspection.permissions import _claim_permission

    for number in range(_claim_permission.cache_info().maxsize + 10):
        requires_claim("tenant", str(number))

    assert _claim_permission.cache_info().currsize == _claim_permission.cache_info().maxsize


def test_the_log_names_the_claim_and_never_the_token(caplog: pytest.LogCaptureFixture) -> None:
    sent = having("buyer")
    with caplog.at_level(logging.INFO, "django_introspection"):
        ask(protect(permission_classes=[Seller & Read]), sent)

    assert [record.getMessage() for record in caplog.records] == [
        "access token refused view=Orders: missing claim; expected any of 'seller' in ['realm_access', 'roles'];"
        " found 'buyer'"
    ]
    assert sent not in caplog.text


def test_the_log_names_each_thing_that_would_have_opened_the_view(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "django_introspection"):
        ask(protect(permission_classes=[Read | Seller]), having("buyer", scope="orders:write"))

    assert [record.getMessage() for record in caplog.records] == [
        "access token refused view=Orders: insufficient scope; expected scope 'orders:read'; found scope 'orders:write'"
        "; or missing claim; expected any of 'seller' in ['realm_access', 'roles']; found 'buyer'"
    ]


def test_the_log_of_many_alternatives_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    alternatives = requires_claim("roles", "0")
    for number in range(1, 30):
        alternatives |= requires_claim("roles", str(number))
    with caplog.at_level(logging.INFO, "django_introspection"):
        ask(protect(permission_classes=[alternatives]), having("buyer"))

    (record,) = caplog.records
    assert record.getMessage().count("missing claim") == 10
    assert record.getMessage().endswith("; or …")


# Plain views of Django


@token_required(scope="orders:read", claim=Seller)
def function(request: Any) -> HttpResponse:
    return HttpResponse()


@token_required(scope="orders:read", claim=Seller)
async def coroutine(request: Any) -> HttpResponse:
    return HttpResponse()


@token_required(scope="orders:read", claim=Seller)
class Decorated(View):
    def get(self, request: Any) -> HttpResponse:
        return HttpResponse()


urls = ModuleType("urls")
urls.urlpatterns = [path("function", function), path("coroutine", coroutine), path("class", Decorated.as_view())]


def get(name: str, sent: str | None) -> Any:
    headers = {"Authorization": f"Bearer {sent}"} if sent else {}
    with override_settings(ROOT_URLCONF=urls):
        if name == "coroutine":
            return async_to_sync(AsyncClient().get)(f"/{name}", headers=headers)
        return Client().get(f"/{name}", headers=headers)


@pytest.mark.parametrize("name", ["function", "coroutine", "class"])
def test_a_plain_view_requires_a_claim(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert get(name, having("seller", scope="orders:read")).status_code == 200
    assert_challenge(get(name, None), None, scope="orders:read")
    assert_challenge(get(name, having("seller")), "insufficient_scope", scope="orders:read")
    with caplog.at_level(logging.INFO, "django_introspection"):
        for scope in ("orders:read", ""):
            refused = get(name, having("buyer", scope=scope))
            assert_claim_missing(refused)
            assert refused.json() == {"detail": "The access token does not have the claim that is needed."}
    assert "missing claim; expected any of 'seller'" in caplog.text


@pytest.mark.parametrize("claim", ["roles", ["realm_access", "roles"], Read, Seller & Admin, IsAdminUser, Seller()])
def test_a_plain_view_takes_one_claim_only(claim: Any) -> None:
    with pytest.raises(TypeError, match=r"one call of requires_claim\(\)"):
        token_required(claim=claim)


def test_the_testing_kit_makes_tokens_with_claims_of_any_name() -> None:
    view = protect(permission_classes=[requires_claim("cognito:groups", "sellers")])
    challenge = ask(view, token(**{"cognito:groups": ["buyers"]}))["WWW-Authenticate"]

    assert ask(view, token(**{"cognito:groups": ["sellers"]})).status_code == 200
    assert [each.scheme for each in parse_challenges(challenge)] == ["Bearer"]
