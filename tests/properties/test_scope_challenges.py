"""The scope of a challenge, for any composition of permissions: it opens the view, and no shorter one does.

With claims among the permissions, a challenge names a scope only if that scope alone opens the view. A challenge for
another authentication opens it with that authentication, and with its scope if it names one.
"""

from __future__ import annotations

from itertools import chain, combinations
from operator import and_, or_
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from django_introspection.permissions import HasScope, requires_claim, requires_scope, requires_step_up
from django_introspection.protocol.token_info import TokenInfo
from django_introspection.resource_server.users import TokenUser
from django_introspection.testing.challenges import parse_challenges

SCOPES = ("a", "b", "c", "d")


class Passes(BasePermission):
    """A permission that is not about scope, and allows everything."""


class Fails(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return False


class PassesWithoutObject(BasePermission):
    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        return False


class AnyToken(BaseAuthentication):
    """Take the header `Authorization: a b` for a token with this scope, `X-Roles` for its roles, `X-Acr` for `acr`."""

    def authenticate(self, request: Request) -> tuple[TokenUser, TokenInfo]:
        roles, acr = request.META.get("HTTP_X_ROLES", "").split(), request.META.get("HTTP_X_ACR", "")
        info = TokenInfo({"sub": "1", "scope": request.META["HTTP_AUTHORIZATION"], "roles": roles, "acr": acr})
        return TokenUser(info, issuer="https://id.example.com"), info


LEAVES = st.one_of(
    st.lists(st.sampled_from(SCOPES), min_size=1, max_size=2, unique=True).map(lambda names: requires_scope(*names)),
    st.just(HasScope),
    st.sampled_from([Passes, Fails, PassesWithoutObject]),
)
CLAIMS = st.sampled_from([requires_claim("roles", "seller"), requires_claim("roles", "admin", "buyer")])


def compositions(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves, lambda inner: st.builds(and_, inner, inner) | st.builds(or_, inner, inner), max_leaves=5
    )


COMPOSITIONS = compositions(LEAVES)


class Orders(APIView):
    authentication_classes = [AnyToken]
    required_scopes = ["a", "c"]
    looks_at_an_object = False

    def get(self, request: Request) -> Response:
        if self.looks_at_an_object:
            self.check_object_permissions(request, object())
        return Response()


def ask(classes: list[Any], scope: Any, looks: bool, roles: Any = (), acr: str = "") -> Response:
    view = Orders.as_view(permission_classes=classes, looks_at_an_object=looks)
    headers = {"Authorization": " ".join(scope), "X-Roles": " ".join(roles), "X-Acr": acr}
    response: Response = view(APIRequestFactory().get("/", headers=headers))
    return response


@given(
    st.lists(COMPOSITIONS, min_size=1, max_size=3),
    st.sets(st.sampled_from(SCOPES)),
    st.booleans(),
)
def test_the_scope_of_a_challenge_is_the_shortest_that_opens_the_view(
    classes: list[Any], scope: set[str], looks: bool
) -> None:
    response = ask(classes, scope, looks)
    every = chain.from_iterable(combinations(SCOPES, size) for size in range(len(SCOPES) + 1))
    sufficient = [chosen for chosen in every if ask(classes, chosen, looks).status_code == 200]

    named = list(scope)
    for _ in range(2 if looks else 1):  # only the second refusal knows the object
        if response.status_code == 200:
            return
        if "WWW-Authenticate" not in response:
            assert sufficient == []  # no scope would have helped
            return
        (challenge,) = parse_challenges(response["WWW-Authenticate"])
        assert challenge.parameters["error"] == "insufficient_scope"
        named = challenge.parameters["scope"].split()
        response = ask(classes, named, looks)
    if sufficient:
        assert response.status_code == 200
        assert looks or len(named) == len(sufficient[0])


TOKEN_LEAVES = st.one_of(
    CLAIMS,
    st.lists(st.sampled_from(SCOPES), min_size=1, max_size=2, unique=True).map(lambda names: requires_scope(*names)),
    st.just(HasScope),
    st.just(Passes),
)


@given(
    st.lists(compositions(TOKEN_LEAVES), min_size=1, max_size=3),
    st.sets(st.sampled_from(SCOPES)),
    st.sets(st.sampled_from(["seller", "admin", "other"])),
    st.booleans(),
)
def test_a_challenge_names_a_scope_only_if_the_scope_alone_opens_the_view(
    classes: list[Any], scope: set[str], roles: set[str], looks: bool
) -> None:
    response = ask(classes, scope, looks, roles)
    if response.status_code == 200:
        return
    assert response.status_code == 403
    (challenge,) = parse_challenges(response["WWW-Authenticate"])

    named = challenge.parameters.get("scope")
    assert ask(classes, SCOPES, looks, roles).status_code == (403 if named is None else 200)
    assert challenge.parameters.get("error") == (None if named is None else "insufficient_scope")
    if named is not None:
        assert ask(classes, named.split(), looks, roles).status_code == 200


STEP_UPS = st.sampled_from([requires_step_up(acr_values=["gold", "silver"]), requires_step_up(acr_values=["gold"])])


@given(
    st.lists(compositions(st.one_of(TOKEN_LEAVES, STEP_UPS)), min_size=1, max_size=3),
    st.sets(st.sampled_from(SCOPES)),
    st.sets(st.sampled_from(["seller", "other"])),
    st.sampled_from(["", "silver", "gold"]),
    st.booleans(),
)
def test_a_challenge_names_an_authentication_only_if_it_opens_the_view(
    classes: list[Any], scope: set[str], roles: set[str], acr: str, looks: bool
) -> None:
    response = ask(classes, scope, looks, roles, acr)
    if response.status_code == 200:
        return
    (challenge,) = parse_challenges(response["WWW-Authenticate"])
    named = challenge.parameters.get("scope", " ".join(scope)).split()

    match challenge.parameters.get("error"):
        case None:
            assert ask(classes, SCOPES, looks, roles, "gold").status_code == 403
        case "insufficient_scope":
            assert ask(classes, named, looks, roles, acr).status_code == 200
        case error:
            assert (response.status_code, error) == (401, "insufficient_user_authentication")
            assert ask(classes, SCOPES, looks, roles, acr).status_code == 401
            for each in challenge.parameters["acr_values"].split():
                assert ask(classes, named, looks, roles, each).status_code == 200
