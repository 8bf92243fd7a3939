"""Beside other authenticators ours keeps its own status and challenge, wherever it stands."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.authentication import BaseAuthentication, BasicAuthentication, SessionAuthentication
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request

from django_introspection.authentication import IntrospectionAuthentication as Ours
from django_introspection.permissions import requires_scope
from tests import factories
from tests.misbehaving.server import MisbehavingServer

from .protected import TOKEN, ask, assert_refused, assert_unavailable, challenge_of, protect

pytestmark = pytest.mark.django_db


class KeyAuthentication(BaseAuthentication):
    """An authenticator without a challenge, like many API keys."""

    def authenticate(self, request: Request) -> tuple[Any, str] | None:
        key = request.headers.get("X-Key")
        return (factories.User(username="key"), key) if key else None


OTHERS = [SessionAuthentication, BasicAuthentication, KeyAuthentication]
ORDERS = [
    pytest.param(classes, id="-".join(each.__name__ for each in classes))
    for other in OTHERS
    for classes in ([other, Ours], [Ours, other])
] + [pytest.param([*OTHERS, Ours], id="all-before"), pytest.param([Ours, *OTHERS], id="all-after")]


@pytest.mark.requirement("6750-3.1-e", "6750-3.1-b")
@pytest.mark.parametrize("classes", ORDERS)
@pytest.mark.parametrize("permission", [IsAuthenticated, AllowAny, requires_scope("orders:read")])
def test_a_bad_token_is_401_invalid_token(classes: list[Any], permission: Any) -> None:
    view = protect(authentication_classes=classes, permission_classes=[permission])

    assert_refused(ask(view, "bad"), 401, "invalid_token")
    assert view.ran == []


@pytest.mark.parametrize("classes", ORDERS)
def test_a_good_token_opens_the_view(classes: list[Any]) -> None:
    token = factories.TokenFactory().access_token

    assert ask(protect(authentication_classes=classes), token).status_code == 200


@pytest.mark.requirement("6750-3.1-a", "6750-3.1-e")
@pytest.mark.parametrize("classes", ORDERS)
def test_a_malformed_header_is_400(classes: list[Any]) -> None:
    assert_refused(
        ask(protect(authentication_classes=classes), headers={"Authorization": "Bearer"}), 400, "invalid_request"
    )


@pytest.mark.requirement("6750-3.1-c", "6750-3.1-e")
@pytest.mark.parametrize("classes", ORDERS)
def test_a_missing_scope_is_403_insufficient_scope(classes: list[Any]) -> None:
    view = protect(authentication_classes=classes, permission_classes=[requires_scope("orders:write")])

    response = ask(view, factories.TokenFactory(scope="orders:read").access_token)

    assert_refused(response, 403, "insufficient_scope")
    assert challenge_of(response)[1]["scope"] == "orders:write"


@pytest.mark.requirement("6750-3-a", "6750-3.1-d", "9110-15.5.2-a")
@pytest.mark.parametrize("classes", ORDERS)
def test_no_credentials_at_a_view_with_a_scope_is_401_with_a_bearer_challenge(classes: list[Any]) -> None:
    view = protect(authentication_classes=classes, permission_classes=[requires_scope("orders:read")])

    assert_refused(ask(view), 401, None)


@pytest.mark.parametrize("classes", ORDERS)
def test_a_server_that_does_not_answer_is_503(classes: list[Any], authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("status 500")
    view = protect(authentication_classes=classes)

    assert_unavailable(ask(view, TOKEN), view)


def test_other_credentials_go_to_the_other_authenticator() -> None:
    key_view = protect(authentication_classes=[Ours, KeyAuthentication])
    session_view = protect(authentication_classes=[Ours, SessionAuthentication])

    assert ask(key_view, headers={"X-Key": "k"}).data == {"user": "key"}
    assert ask(session_view, user=factories.UserFactory(username="anna")).data == {"user": "anna"}


def test_a_bad_token_beside_a_good_session_is_still_refused_where_ours_stands_first() -> None:
    view = protect(authentication_classes=[Ours, SessionAuthentication])

    assert_refused(ask(view, "bad", user=factories.UserFactory()), 401, "invalid_token")


def test_a_session_in_front_of_ours_decides_alone() -> None:
    """As the page on protecting views says: the token is not looked at, whatever it is."""
    classes = [SessionAuthentication, Ours]
    user, scoped = (
        factories.UserFactory(),
        protect(authentication_classes=classes, permission_classes=[requires_scope("orders:read")]),
    )
    token = factories.TokenFactory(scope="orders:read").access_token

    assert ask(protect(authentication_classes=classes), "bad", user=user).data == {"user": str(user)}
    assert ask(scoped, token, user=user).status_code == 403
    assert ask(scoped, token).status_code == 200


@pytest.mark.requirement("6750-3.1-c")
def test_a_session_has_no_scope() -> None:
    view = protect(
        authentication_classes=[Ours, SessionAuthentication], permission_classes=[requires_scope("orders:read")]
    )

    assert_refused(ask(view, user=factories.UserFactory()), 403, "insufficient_scope")
