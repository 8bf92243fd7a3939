"""Step-up authentication, from the token to the challenge (RFC 9470)."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from django.views import View
from rest_framework.permissions import IsAdminUser
from rest_framework.response import Response

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.decorators import token_required
from django_introspection.exceptions import InvalidSetting
from django_introspection.middleware import ProtectedPaths
from django_introspection.permissions import HasScope, requires_claim, requires_scope, requires_step_up
from django_introspection.protocol.jwt import decode_base64url
from django_introspection.protocol.strict_json import parse_json_object
from django_introspection.testing import assert_challenge, fake_tokens, inactive, token
from tests import endpoints, factories, jose
from tests.resource_server.protected import ask, protect
from tests.settings import AUDIENCE, MIDDLEWARE, TOKEN_INTROSPECTION

pytestmark = pytest.mark.django_db

ERROR = "insufficient_user_authentication"
Mfa, Fresh = requires_step_up(acr_values=["mfa", "phr"]), requires_step_up(max_age=300)
Both = requires_step_up(acr_values="mfa phr", max_age=300)
Read = requires_scope("orders:read")


@pytest.fixture(autouse=True)
def tokens() -> Any:
    with fake_tokens():
        yield


def recent(**claims: Any) -> str:
    return token(auth_time=time.time() - 100, **claims)


@pytest.mark.requirement("9470-3-a", "9470-3-b", "9470-6.1-a")
@pytest.mark.parametrize("claims", [{"acr": "pwd"}, {"acr": "mfa", "auth_time": 1_700_000_000}, {"acr": "mfa"}, {}])
def test_an_authentication_that_is_too_weak_old_or_unknown_is_401_with_both_parameters(claims: Any) -> None:
    view = protect(permission_classes=[Both])

    assert ask(view, recent(acr="phr")).status_code == 200
    refused = ask(view, token(**claims))
    challenge = assert_challenge(refused, ERROR, acr_values="mfa phr", max_age="300")
    assert refused.status_code == 401
    assert challenge.parameters.keys() - {"resource_metadata"} == {
        *("realm", "error", "error_description", "acr_values", "max_age"),
    }
    assert refused.data == {"detail": "The user must authenticate again, or in another way."}
    assert len(view.ran) == 1


@pytest.mark.requirement("9470-3-b")
def test_only_what_the_view_requires_is_in_the_challenge() -> None:
    weak = assert_challenge(ask(protect(permission_classes=[Mfa]), token()), ERROR, acr_values="mfa phr")
    old = assert_challenge(ask(protect(permission_classes=[Fresh]), token()), ERROR, max_age="300")

    assert "max_age" not in weak.parameters
    assert "acr_values" not in old.parameters


@pytest.mark.requirement("9470-3-b")
@pytest.mark.parametrize("classes", [[Both, Read], [Read, Both], [Both & Read], [Read & Both]])
def test_a_token_that_lacks_the_scope_as_well_is_asked_for_both_at_once(classes: Any) -> None:
    view = protect(permission_classes=classes)

    assert_challenge(ask(view, token()), ERROR, acr_values="mfa phr", max_age="300", scope="orders:read")
    assert "scope" not in assert_challenge(ask(view, token(scope="orders:read")), ERROR).parameters
    assert_challenge(ask(view, recent(acr="mfa")), "insufficient_scope", scope="orders:read")
    assert ask(view, recent(acr="mfa", scope="orders:read")).status_code == 200


@pytest.mark.requirement("9470-9-a")
def test_the_requirement_is_named_to_the_holder_of_a_valid_token_only() -> None:
    view = protect(permission_classes=[Both, Read])

    for refused, error in ((ask(view), None), (ask(view, inactive()), "invalid_token")):
        challenge = assert_challenge(refused, error, status=401)
        assert not {"acr_values", "max_age"} & challenge.parameters.keys()


def test_several_step_ups_are_one_challenge() -> None:
    view = protect(permission_classes=[Mfa, Fresh & requires_step_up(acr_values=["phr", "hwk"])])

    assert_challenge(ask(view, token()), ERROR, acr_values="phr", max_age="300")


@pytest.mark.parametrize(
    ("permission", "claims", "error"),
    [
        (Both | Read, {}, "insufficient_scope"),  # the shortest way for the client
        (Both | requires_claim("roles", "admin"), {}, ERROR),
        (Both & requires_claim("roles", "admin"), {}, None),  # no authentication would help
        (Both | IsAdminUser, {}, ERROR),
        (Both & HasScope, {}, "insufficient_scope"),  # the view opens this method to no scope
    ],
)
def test_a_composition_asks_for_what_helps(permission: Any, claims: Any, error: str | None) -> None:
    view = protect(permission_classes=[permission], required_scopes={"POST": ["orders:write"]})

    assert_challenge(ask(view, token(**claims)), error, status=401 if error == ERROR else 403)


def test_the_clocks_may_differ_by_the_leeway(settings: Any) -> None:
    view = protect(permission_classes=[requires_step_up(max_age=0)])
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "LEEWAY": 1000}
    assert ask(view, token(auth_time=time.time() - 500)).status_code == 200
    assert ask(view, token(auth_time=time.time() + 500)).status_code == 200

    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "LEEWAY": 0}
    assert_challenge(ask(view, token(auth_time=time.time() - 500)), ERROR, max_age="0")
    assert_challenge(ask(view, token(auth_time=time.time() + 500)), ERROR, max_age="0")


def test_the_log_names_what_was_expected_and_found(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "django_introspection"):
        ask(protect(permission_classes=[Both]), token(acr="pwd"))

    assert [record.getMessage() for record in caplog.records] == [
        "access token refused view=Orders: insufficient user authentication;"
        " expected acr_values 'mfa phr', max_age '300'; found acr 'pwd'"
    ]


def test_another_authentication_class_first_changes_nothing() -> None:
    from rest_framework.authentication import SessionAuthentication

    classes = [SessionAuthentication, IntrospectionAuthentication]
    view = protect(authentication_classes=classes, permission_classes=[Both])

    assert_challenge(ask(view, token()), ERROR, acr_values="mfa phr", max_age="300")


@pytest.mark.requirement("9470-3-a")
def test_the_challenge_has_the_scheme_by_which_the_token_came(settings: Any) -> None:
    class Either(IntrospectionAuthentication):
        schemes = ("DPoP", "Bearer")

    refused = ask(protect(authentication_classes=[Either], permission_classes=[Both]), token())

    assert refused["WWW-Authenticate"].startswith("Bearer ")
    assert "DPoP" not in refused["WWW-Authenticate"]


# Plain views, and the paths of the middleware


@token_required(scope="orders:read", claim=Both)
def function(request: Any) -> HttpResponse:
    return HttpResponse()


@token_required(scope="orders:read", claim=[Mfa, Fresh])
async def coroutine(request: Any) -> HttpResponse:
    return HttpResponse()


@token_required(scope="orders:read", claim=(Both, requires_claim("roles", "seller")))
class Decorated(View):
    def get(self, request: Any) -> HttpResponse:
        return HttpResponse()


def plain(request: Any) -> HttpResponse:
    return HttpResponse()


async def aplain(request: Any) -> HttpResponse:
    return HttpResponse()


urls = ModuleType("urls")
urls.urlpatterns = [
    path("function", function),
    path("coroutine", coroutine),
    path("class", Decorated.as_view()),
    path("bank/sync", plain),
    path("bank/async", aplain),
]


def get(name: str, sent: str) -> Any:
    headers = {"Authorization": f"Bearer {sent}"}
    with override_settings(ROOT_URLCONF=urls):
        if name in ("coroutine", "bank/async"):
            return async_to_sync(AsyncClient().get)(f"/{name}", headers=headers)
        return Client().get(f"/{name}", headers=headers)


@pytest.mark.requirement("9470-3-a", "9470-3-b")
@pytest.mark.parametrize("name", ["function", "coroutine", "class", "bank/sync", "bank/async"])
def test_plain_views_and_protected_paths_send_the_same_challenge(name: str, settings: Any) -> None:
    paths = {"/bank": {"SCOPE": "orders:read", "ACR_VALUES": ["mfa", "phr"], "MAX_AGE": 300}}
    settings.MIDDLEWARE = [*MIDDLEWARE, "django_introspection.middleware.ProtectedPaths"]
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "PROTECTED_PATHS": paths}

    assert get(name, recent(acr="mfa", scope="orders:read", roles=["seller"])).status_code == 200
    weak = get(name, recent(acr="pwd", scope="orders:read", roles=["seller"]))
    assert_challenge(weak, ERROR, acr_values="mfa phr")
    assert weak.json() == {"detail": "The user must authenticate again, or in another way."}
    assert_challenge(
        get(name, token(roles=["seller"])), ERROR, acr_values="mfa phr", max_age="300", scope="orders:read"
    )
    assert_challenge(get(name, recent(acr="mfa", roles=["seller"])), "insufficient_scope", scope="orders:read")


def test_a_claim_that_no_authentication_brings_decides_first() -> None:
    assert_challenge(get("class", token(scope="orders:read")), None, status=403)


@pytest.mark.parametrize("entry", [{"MAX_AGE": "300"}, {"ACR_VALUES": []}, {"ACR_VALUES": ["a b"]}, {"MAX_AGE": None}])
def test_a_path_with_an_invalid_authentication_keeps_the_server_from_starting(entry: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "PROTECTED_PATHS": {"/bank": entry}}

    with pytest.raises(InvalidSetting, match=r"\['PROTECTED_PATHS'\]\['/bank'\] must have"):
        ProtectedPaths(Response)


def test_arguments_are_checked_when_the_view_is_written() -> None:
    assert requires_step_up(acr_values=["mfa"], max_age=5) is requires_step_up(acr_values="mfa", max_age=5)
    with pytest.raises(ValueError, match="name acr_values, max_age or both"):
        requires_step_up()
    with pytest.raises(TypeError, match="cannot be inverted"):
        ~Both  # noqa: B018 - the operator is the test


# The authorization server


@pytest.mark.requirement("9470-6.2-a")
def test_the_authentication_is_in_answers_and_unchanged_by_a_refresh() -> None:
    holder = factories.RegistrationFactory(grant_types=["refresh_token"])
    authentication = {"acr": "mfa", "amr": ["pwd", "otp"], "auth_time": 1_800_000_000}
    issued = factories.TokenFactory(client=holder.client, refresh=True, members=authentication)
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    refreshed = endpoints.post("/oauth/token", form, auth=holder).json()["access_token"]

    for value in (issued.access_token, refreshed):
        answer = endpoints.introspect(value, auth=holder).json()
        assert {name: answer[name] for name in authentication} == authentication


@pytest.mark.requirement("9470-6.1-a")
def test_the_authentication_is_in_the_claims_of_a_jwt(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "SIGNING_KEYS": [{"KEY": jose.pem("ES256")}]}
    holder = factories.RegistrationFactory(access_token_format="jwt")
    authentication = {"acr": "mfa", "amr": ["otp"], "auth_time": 1_800_000_000}
    issued = factories.TokenFactory(client=holder.client, audience=[AUDIENCE], members=authentication)

    claims = parse_json_object(decode_base64url(issued.access_token.split(".")[1]))
    assert {name: claims[name] for name in authentication} == authentication


@pytest.mark.parametrize("members", [{"acr": 2}, {"amr": "pwd"}, {"auth_time": "now"}])
def test_an_authentication_of_another_type_is_not_issued(members: Any) -> None:
    with pytest.raises(ValidationError, match=f"The member {next(iter(members))} must be"):
        factories.TokenFactory(members=members)


@pytest.mark.requirement("9470-7-a")
def test_the_metadata_promises_no_contexts_because_users_authenticate_elsewhere() -> None:
    document = Client().get("/.well-known/oauth-authorization-server").json()

    assert "introspection_endpoint" in document
    assert "acr_values_supported" not in document
