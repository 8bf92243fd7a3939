"""Views protected by the tokens of a remote server, each answer judged again here (RFC 7662 §4)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from django_introspection.permissions import requires_scope
from tests.misbehaving.server import MisbehavingServer
from tests.settings import AUDIENCE, ISSUER

from .protected import TOKEN, ask, assert_refused, protect

NOW = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp())


@pytest.fixture
def answer(authorization_server: MisbehavingServer, settings: Any) -> Callable[..., Any]:
    """Ask a protected view about a token with these members; the settings come first."""

    def ask_about(members: dict[str, Any], **options: Any) -> Any:
        values = authorization_server.settings(**options)
        settings.TOKEN_INTROSPECTION = {**values, "LEEWAY": 10}
        authorization_server.behave("active", **members)
        with time_machine.travel(NOW, tick=False):
            return ask(protect(), TOKEN)

    return ask_about


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({}, id="nothing said"),
        pytest.param({"exp": NOW + 1, "nbf": NOW, "iat": NOW}, id="in its time"),
        pytest.param({"exp": NOW - 9}, id="expired within the leeway"),
        pytest.param({"nbf": NOW + 10}, id="not yet valid within the leeway"),
        pytest.param({"exp": NOW + 0.5}, id="fractional times"),
        pytest.param({"token_type": "bearer"}, id="type in lower case"),
        pytest.param({"aud": "https://elsewhere.example"}, id="audience nobody asked for"),
        pytest.param({"scope": None, "sub": None}, id="members left out"),
        pytest.param({"extension": [{"deep": [1, None]}]}, id="unknown members"),
    ],
)
def test_an_active_answer_opens_the_view(answer: Callable[..., Any], members: dict[str, Any]) -> None:
    assert answer(members).status_code == 200


@pytest.mark.requirement("7662-2.2-q", "7662-2.2-r", "6749-7-a")
@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"exp": NOW - 10}, id="expired"),
        pytest.param({"exp": 0}, id="expired in 1970"),
        pytest.param({"nbf": NOW + 11}, id="not yet valid"),
        pytest.param({"iss": "https://other.example.com"}, id="another issuer"),
        pytest.param({"iss": f"{ISSUER}/"}, id="issuer with a slash more"),
        pytest.param({"aud": "https://api.example.com/other"}, id="another audience"),
        pytest.param({"aud": [AUDIENCE + "/", "orders"]}, id="audiences that look alike"),
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"aud": []}, id="empty audience"),
        pytest.param({"cnf": {"jkt": "x"}}, id="bound to a key"),
        pytest.param({"cnf": {"x5t#S256": "x"}}, id="bound to a certificate"),
        pytest.param({"cnf": {"something": "new"}}, id="bound in an unknown way"),
        pytest.param({"cnf": {}}, id="bound without a word how"),
        pytest.param({"token_type": "refresh_token"}, id="refresh token by type"),
        pytest.param({"token_type": "N_A"}, id="no type"),
        pytest.param({"token_use": "refresh_token"}, id="refresh token by use"),
        pytest.param({"typ": "Refresh"}, id="refresh token by typ"),
        pytest.param({"typ": "ID"}, id="ID token"),
        pytest.param({"token_type": None, "token_use": "refresh_token"}, id="refresh token by use alone"),
        pytest.param({"token_type": None, "typ": "Offline"}, id="offline token"),
        pytest.param({"token_type": None, "tokenType": "refresh-token"}, id="refresh token of Casdoor"),
        pytest.param({"at_hash": "LDktKdoQak3Pk0cnXxCltA"}, id="issued with the access token that it hashes"),
    ],
)
def test_an_active_answer_that_is_not_for_here_is_401(answer: Callable[..., Any], members: dict[str, Any]) -> None:
    good = {"aud": AUDIENCE, "iss": ISSUER}

    assert answer(good, audience=AUDIENCE, issuer=ISSUER).status_code == 200
    assert_refused(answer(good | members, audience=AUDIENCE, issuer=ISSUER), 401, "invalid_token")


@pytest.mark.parametrize("audience", [[AUDIENCE], ["https://b.example", AUDIENCE], (AUDIENCE,), AUDIENCE])
@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["https://a.example", AUDIENCE]])
def test_one_audience_in_common_is_enough(answer: Callable[..., Any], audience: Any, aud: Any) -> None:
    assert answer({"aud": aud}, audience=audience).status_code == 200


def test_the_audience_is_not_taken_from_the_host_of_the_request(
    authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(audience=AUDIENCE)
    settings.ALLOWED_HOSTS = ["*"]
    authorization_server.behave("active", aud="https://evil.example/orders")

    response = ask(protect(), TOKEN, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})

    assert_refused(response, 401, "invalid_token")


def test_a_server_that_names_no_issuer_is_believed(answer: Callable[..., Any]) -> None:
    assert answer({}, issuer=ISSUER).status_code == 200


def test_a_bare_answer_opens_a_view_that_needs_no_scope(authorization_server: MisbehavingServer) -> None:
    """Every member but `active` is optional (RFC 7662 §2.2)."""
    authorization_server.behave("body", content=b'{"active": true}')

    assert ask(protect(), TOKEN).status_code == 200
    assert ask(protect(permission_classes=[requires_scope("orders:read")]), TOKEN).status_code == 403


@pytest.mark.requirement("7662-2.2-r")
@pytest.mark.parametrize("options", [{}, {"require_token_type": False}], ids=["by default", "said so"])
def test_a_kind_that_is_not_named_is_refused_only_where_that_is_configured(
    options: dict[str, Any], answer: Callable[..., Any]
) -> None:
    assert answer({"token_type": None}, **options).status_code == 200
    assert_refused(answer({"token_type": None}, require_token_type=True), 401, "invalid_token")
    assert answer({"token_type": None, "typ": "Bearer"}, require_token_type=True).status_code == 200
    assert_refused(answer({"token_type": None, "typ": "Refresh"}, **options), 401, "invalid_token")
    assert_refused(answer({"token_type": "mac"}, **options), 401, "invalid_token")


def test_an_inactive_answer_is_401_whatever_else_it_says(authorization_server: MisbehavingServer) -> None:
    view = protect()
    chatty = {"active": False, "token_type": "Bearer", "sub": "root", "exp": "not even a number"}
    authorization_server.behave("body", content=json.dumps(chatty).encode())

    assert_refused(ask(view, TOKEN), 401, "invalid_token")
    assert view.ran == []


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/json ;x=y"]
)
def test_json_is_json_with_any_parameters(authorization_server: MisbehavingServer, content_type: str) -> None:
    authorization_server.behave("body", content=b'{"active":true,"token_type":"Bearer"}', content_type=content_type)

    assert ask(protect(), TOKEN).status_code == 200


def test_a_null_member_counts_as_left_out(authorization_server: MisbehavingServer) -> None:
    view = protect()
    nulls = {"active": True, "token_type": "Bearer", "exp": None, "aud": None, "cnf": None, "sub": None, "scope": None}
    authorization_server.behave("body", content=json.dumps(nulls).encode())

    assert ask(view, TOKEN).status_code == 200
    (request,) = view.ran
    assert request.auth.to_dict() == {"active": True, "token_type": "Bearer"}


def test_the_user_is_made_of_the_answer_alone(authorization_server: MisbehavingServer, db: None) -> None:
    view = protect()
    authorization_server.behave("active", sub="42", username="root", iss=ISSUER)

    ask(view, TOKEN)

    (request,) = view.ran
    assert str(request.user) == "root"
    assert not any([request.user.is_staff, request.user.is_superuser, request.user.has_perm("auth.add_user")])


def test_every_request_asks_again(authorization_server: MisbehavingServer) -> None:
    assert ask(protect(), TOKEN).status_code == 200
    authorization_server.behave("inactive")

    assert_refused(ask(protect(), TOKEN), 401, "invalid_token")
    assert len(authorization_server.requests) == 2


@pytest.mark.parametrize("token", ["dit_at_garbage", 'a"b', "caf\u00e9", "a=b"])
def test_what_cannot_be_a_token_is_not_asked_about(authorization_server: MisbehavingServer, token: str) -> None:
    assert_refused(ask(protect(), token), 401, "invalid_token")
    assert authorization_server.connections == 0


def test_a_request_without_a_token_asks_nobody(authorization_server: MisbehavingServer) -> None:
    assert_refused(ask(protect()), 401, None)
    assert authorization_server.connections == 0
