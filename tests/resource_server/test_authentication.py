"""Views protected by the tokens of this project's own database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from django_introspection import TokenInfo
from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Token
from django_introspection.protocol import opaque
from tests import factories
from tests.authorization_server.helpers import without_table
from tests.settings import AUDIENCE, ISSUER, TOKEN_INTROSPECTION

from .protected import ask, assert_refused, assert_unavailable, challenge_of, error_of, protect

pytestmark = pytest.mark.django_db


@pytest.mark.requirement("6750-2.1-a")
def test_a_good_token_opens_the_view() -> None:
    user = factories.UserFactory()
    view = protect()

    response = ask(view, factories.TokenFactory(user=user, scope="orders:read").access_token)

    assert response.status_code == 200
    (request,) = view.ran
    assert request.user == user
    assert isinstance(request.auth, TokenInfo)
    assert request.auth.scopes == {"orders:read"}
    assert request.auth.iss == ISSUER
    assert request.auth.audiences == (AUDIENCE,)


def test_a_machine_token_is_authenticated_and_says_who_it_is() -> None:
    machine = factories.RegistrationFactory().client
    view = protect()

    ask(view, factories.TokenFactory(client=machine).access_token)

    (request,) = view.ran
    assert request.user.is_authenticated
    assert request.user.is_client
    assert str(request.user) == machine.client_id


@pytest.mark.requirement("6750-3-a", "6750-3-b", "6750-3.1-d")
def test_a_request_without_a_token_is_challenged_without_an_error_code() -> None:
    view = protect()

    response = ask(view)

    assert_refused(response, 401, None)
    metadata = "https://api.example.com/.well-known/oauth-protected-resource/orders"
    assert challenge_of(response) == ("Bearer", {"realm": "api", "resource_metadata": metadata})
    assert view.ran == []


@pytest.mark.requirement("6750-3.1-d")
@pytest.mark.parametrize("header", ["Basic YTpi", "Token abc", "Digest x=y", "Bearerabc", "", "nonsense"])
def test_another_scheme_is_challenged_without_an_error_code(header: str) -> None:
    assert_refused(ask(protect(), headers={"Authorization": header}), 401, None)


def _refresh_token() -> str:
    return factories.TokenFactory(refresh=True).refresh_token


def _revoked() -> str:
    issued = factories.TokenFactory()
    revoke_token(issued.token, by=None)
    return issued.access_token


def _of_an_inactive(what: str) -> str:
    user = factories.UserFactory()
    issued = factories.TokenFactory(user=user)
    disabled = user if what == "user" else issued.token.client
    disabled.is_active = False
    disabled.save()
    return issued.access_token


BAD_TOKENS = {
    "unknown": lambda: "nobody-issued-this",
    "unknown with our prefix": lambda: opaque.generate(opaque.ACCESS_TOKEN),
    "altered": lambda: factories.TokenFactory().access_token[:-1] + "?",
    "revoked": _revoked,
    "refresh token": _refresh_token,
    "client secret": lambda: factories.RegistrationFactory().secret,
    "not yet valid": lambda: factories.TokenFactory(not_before=datetime.now(UTC) + timedelta(hours=1)).access_token,
    "for another resource": lambda: factories.TokenFactory(audience=["https://api.example.com/other"]).access_token,
    "for a resource that starts the same": lambda: factories.TokenFactory(audience=[AUDIENCE + "/1"]).access_token,
    "for no resource": lambda: factories.TokenFactory(audience=[]).access_token,
    "bound to a key": lambda: factories.TokenFactory(members={"cnf": {"jkt": "x"}}).access_token,
    "bound to a certificate": lambda: factories.TokenFactory(members={"cnf": {"x5t#S256": "x"}}).access_token,
    "bound in an unknown way": lambda: factories.TokenFactory(members={"cnf": {}}).access_token,
    "of an inactive user": lambda: _of_an_inactive("user"),
    "of an inactive client": lambda: _of_an_inactive("client"),
    "illegal characters": lambda: 'a"b',
    "not ASCII": lambda: "caf\u00e9",
    "padding in the middle": lambda: "a=b",
}


@pytest.mark.requirement("6750-3-e", "6750-3.1-b", "6749-7-a", "9110-15.5.2-a")
@pytest.mark.parametrize("make", BAD_TOKENS.values(), ids=BAD_TOKENS)
@pytest.mark.parametrize("permissions", [{}, {"permission_classes": []}], ids=["protected view", "open view"])
def test_a_bad_token_is_401_invalid_token(make: Any, permissions: dict[str, Any]) -> None:
    view = protect(**permissions)

    response = ask(view, make())

    assert_refused(response, 401, "invalid_token")
    assert view.ran == []


def test_the_answer_does_not_tell_bad_tokens_apart() -> None:
    responses = [ask(protect(), make()) for make in BAD_TOKENS.values()]

    assert len({(response.content, response["WWW-Authenticate"]) for response in responses}) == 1


@pytest.mark.requirement("6750-3.1-b")
def test_a_token_dies_when_it_expires_and_leeway_has_passed(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "LEEWAY": 0}
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC), tick=False) as clock:
        token = factories.TokenFactory(lifetime=timedelta(seconds=60)).access_token
        clock.shift(59)
        assert ask(protect(), token).status_code == 200
        clock.shift(1)
        assert_refused(ask(protect(), token), 401, "invalid_token")


@pytest.mark.requirement("6750-2.1-b", "6750-3.1-a", "6750-3.1-e")
@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "bearer    ", "Bearer a b", "Bearer a  b", "Bearer a Bearer b"]
)
def test_a_header_without_exactly_one_token_is_400_invalid_request(header: str) -> None:
    view = protect()

    assert_refused(ask(view, headers={"Authorization": header}), 400, "invalid_request")
    assert view.ran == []


@pytest.mark.parametrize("query", ["access_token=other", "access_token=", "a=1&access_token=other&b=2"])
def test_a_second_token_in_the_query_is_400_invalid_request(query: str) -> None:
    token = factories.TokenFactory().access_token

    assert_refused(ask(protect(), token, path=f"/orders?{query}"), 400, "invalid_request")


@pytest.mark.requirement("6750-2.3-a")
def test_a_token_in_the_query_is_not_read() -> None:
    token = factories.TokenFactory().access_token

    assert_refused(ask(protect(), path=f"/orders?access_token={token}"), 401, None)


@pytest.mark.requirement("6750-5.3-b")
@pytest.mark.parametrize("name", ["access_token", "Authorization", "token"])
def test_a_token_in_a_cookie_is_not_read(name: str) -> None:
    token = factories.TokenFactory().access_token

    assert_refused(ask(protect(), cookies={name: token}), 401, None)


def test_a_token_in_a_form_is_not_read() -> None:
    token = factories.TokenFactory().access_token

    assert_refused(ask(protect(), method="post", data={"access_token": token}), 401, None)


@pytest.mark.parametrize("query", ["q=%zz", "oauth2_error=x", "q=" + "%ff" * 3, "access_tokens=1"])
def test_the_parameters_of_the_application_are_its_own(query: str) -> None:
    token = factories.TokenFactory().access_token

    assert ask(protect(), token, path=f"/orders?{query}").status_code == 200


@pytest.mark.parametrize("has_user", [True, False], ids=["user", "machine"])
def test_a_protected_view_costs_one_statement(has_user: bool, django_assert_num_queries: Any) -> None:
    token = factories.TokenFactory(user=factories.UserFactory() if has_user else None).access_token

    with django_assert_num_queries(1):
        assert ask(protect(), token).status_code == 200


@pytest.mark.parametrize(
    "token",
    [
        "dit_at_",
        "dit_at_" + "A" * 49,
        opaque.generate(opaque.ACCESS_TOKEN)[:-1],
        opaque.generate(opaque.CLIENT_SECRET),
        "dit_" + "x" * 10_000,
    ],
    ids=["prefix", "wrong checksum", "cut short", "secret", "long"],
)
def test_garbage_with_our_prefix_costs_no_statement(token: str, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert_refused(ask(protect(), token), 401, "invalid_token")


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_answer_is_503() -> None:
    token = factories.TokenFactory().access_token
    view = protect()

    with without_table(Token):
        assert_unavailable(ask(view, token), view)


def test_using_names_another_backend_and_is_the_same_class_each_time(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {
        "BACKENDS": {
            alias: {
                "BACKEND": "django_introspection.backends.DatabaseBackend",
                "OPTIONS": {"audience": f"https://api.example.com/{alias}"},
            }
            for alias in ("default", "partner")
        }
    }
    partner = IntrospectionAuthentication.using("partner")
    token = factories.TokenFactory(audience=["https://api.example.com/partner"]).access_token

    assert partner is IntrospectionAuthentication.using("partner")
    assert partner is not IntrospectionAuthentication.using("other")
    assert issubclass(partner, IntrospectionAuthentication)
    assert ask(protect(authentication_classes=[partner]), token).status_code == 200
    assert_refused(ask(protect(), token), 401, "invalid_token")


def test_a_subclass_of_ours_keeps_its_realm_when_it_uses_another_backend() -> None:
    class Partner(IntrospectionAuthentication):
        realm = "partner"

    using = Partner.using("default")

    assert using is not IntrospectionAuthentication.using("default")
    assert challenge_of(ask(protect(authentication_classes=[using])))[1]["realm"] == "partner"
    assert challenge_of(ask(protect(authentication_classes=[using]), "bad"))[1]["realm"] == "partner"
    assert challenge_of(ask(protect(authentication_classes=[using]), headers={"Authorization": "Bearer"}))[1][
        "realm"
    ] == ("partner")


def test_authenticating_does_not_read_the_body() -> None:
    token = factories.TokenFactory().access_token
    request = APIRequestFactory().post("/orders", b"{}", content_type="application/json")
    request.META["HTTP_AUTHORIZATION"] = f"Bearer {token}"

    IntrospectionAuthentication().authenticate(Request(request))

    assert request.read() == b"{}"


@pytest.mark.urls("tests.resource_server.urls")
def test_a_whole_project_answers_the_same() -> None:
    client, token = Browser(), factories.TokenFactory().access_token

    assert client.get("/orders", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert_refused(client.get("/orders"), 401, None)
    assert error_of(client.get("/orders", headers={"Authorization": "Bearer bad"})) == "invalid_token"
    assert client.head("/orders", headers={"Authorization": f"Bearer {token}"}).status_code == 200
