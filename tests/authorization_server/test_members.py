"""What a caller is told of a token that it may see: the filters of the client, and the hook MEMBERS."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from django_introspection.conf import introspection_settings
from django_introspection.models import GrantType
from django_introspection.protocol.answer import Active
from tests import endpoints, factories
from tests.authorization_server.helpers import assert_inactive, assert_refused, bearer, introspecting_client
from tests.settings import AUDIENCE, ISSUER

SECRET = "a value that nobody may read"


def members_of(token: str, auth: Any) -> dict[str, Any]:
    members = endpoints.introspect(token, auth=auth).json()
    assert members["active"] is True
    return dict(members)


@pytest.fixture
def token(user: Any) -> str:
    scope = "orders:read profile orders:write"
    return str(factories.TokenFactory(user=user, scope=scope, members={"acr": "urn:gold"}).access_token)


@pytest.mark.requirement("7662-2.2-k")
@pytest.mark.parametrize(
    ("served", "told"),
    [
        ("orders:read orders:write", "orders:read orders:write"),
        ("orders:write", "orders:write"),
        ("profile", "profile"),
        ("other orders:write", "orders:write"),
        ("orders", None),
        ("ORDERS:READ", None),
        ("", "orders:read profile orders:write"),
    ],
)
def test_a_caller_sees_the_scopes_that_it_serves(token: str, served: str, told: str | None) -> None:
    caller = factories.ResourceServerFactory(resource_scopes=served)

    members = members_of(token, caller)

    assert members.get("scope") == told
    assert ("scope" in members) == (told is not None)


@pytest.mark.requirement("7662-2.2-k")
def test_the_filter_of_scopes_can_be_turned_off(token: str) -> None:
    caller = factories.ResourceServerFactory(resource_scopes="orders:read", filter_scope=False)

    assert members_of(token, caller)["scope"] == "orders:read profile orders:write"


def test_a_token_without_scope_has_none_after_the_filter(db: None) -> None:
    caller = factories.ResourceServerFactory()

    assert "scope" not in members_of(factories.TokenFactory(scope="").access_token, caller)


@pytest.mark.requirement("7662-5-a")
@pytest.mark.parametrize(
    ("visible", "told"),
    [
        (["scope", "exp"], {"active", "scope", "exp"}),
        (["active"], {"active"}),
        (["no_such_member"], {"active"}),
        (["acr", "token_type"], {"active", "acr", "token_type"}),
    ],
)
def test_a_caller_is_told_the_members_that_it_may_see(token: str, visible: list[str], told: set[str]) -> None:
    caller = factories.ResourceServerFactory(visible_members=visible)

    assert members_of(token, caller).keys() == told


@pytest.mark.requirement("8705-3.2-a")
@pytest.mark.parametrize(
    "limit",
    [
        {"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}},
        {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
        {"allowed_networks": ["192.0.2.0/24"]},
    ],
)
def test_what_limits_who_may_send_a_token_is_never_left_out(db: None, limit: dict[str, Any]) -> None:
    """Or a resource server would take a token that is bound to a certificate from anyone."""
    caller = factories.ResourceServerFactory(visible_members=["scope", "token_type"])
    token = factories.TokenFactory(members=limit).access_token

    answer = members_of(token, caller)

    assert {name: answer[name] for name in limit} == limit


@pytest.mark.requirement("7662-5-a")
def test_a_caller_without_a_list_is_told_all(token: str, resource_server: Any) -> None:
    names = {"active", "scope", "client_id", "username", "token_type", "exp", "iat", "sub", "aud", "iss", "jti", "acr"}

    assert members_of(token, resource_server).keys() == names


def test_no_filter_applies_to_the_tokens_of_the_caller_itself(db: None) -> None:
    caller = factories.ResourceServerFactory(resource_scopes="other", visible_members=["exp"])
    own = factories.TokenFactory(client=caller.client, refresh=True)

    for value in (own.access_token, own.refresh_token):
        members = members_of(value, caller)
        assert members["scope"] == "orders:read"
        assert {"client_id", "jti", "aud"} <= members.keys()


def test_a_client_that_may_exchange_tokens_sees_no_more_of_its_own(db: None) -> None:
    caller = factories.ResourceServerFactory(
        grant_types=[GrantType.TOKEN_EXCHANGE],
        scope="orders:read",
        allowed_resources=[AUDIENCE],
        visible_members=["scope", "exp"],
    )
    received = factories.TokenFactory(user=factories.UserFactory(), scope="orders:read", audience=[AUDIENCE])
    form = {"grant_type": GrantType.TOKEN_EXCHANGE.value, "subject_token": received.access_token}
    form["subject_token_type"] = "urn:ietf:params:oauth:token-type:access_token"
    copy = endpoints.post("/oauth/token", form, auth=caller).json()["access_token"]

    for value in (received.access_token, copy):
        members = members_of(value, caller)
        assert members.keys() == {"active", "exp", "scope"}
        assert members["scope"] == "orders:read"


def test_a_bearer_caller_is_filtered_as_its_client(token: str) -> None:
    caller = introspecting_client(visible_members=["exp"])

    assert members_of(token, bearer(caller)).keys() == {"active", "exp"}


@pytest.mark.parametrize("wrong", ["exp", {"exp": True}, [1], [""], [["exp"]]])
def test_what_is_no_list_of_names_is_refused(db: None, wrong: Any) -> None:
    with pytest.raises(ValidationError):
        factories.ResourceServerFactory(visible_members=wrong)


def test_the_signal_has_the_whole_token_whatever_the_caller_is_told(token: str, heard: Any) -> None:
    caller = factories.ResourceServerFactory(visible_members=["exp"])
    members_of(token, caller)

    answer = heard[-1][1]["answer"]
    assert isinstance(answer, Active)
    assert answer.info.jti


asked: list[tuple[Any, Any, Any]] = []


def by_caller(info: Any, user: Any, caller: Any) -> Any:
    """Answer by who asks, as a hook of a project does."""
    asked.append((info, user, caller))
    roles = {"roles": ["buyer"], "department": None, "teams": [], "title": ""} if user else {}
    return {**roles, "for": caller.client_id, "level": 0, "trusted": False}


def overreaching(info: Any, user: Any, caller: Any) -> Any:
    computed = (
        "active",
        "exp",
        "nbf",
        "iat",
        "sub",
        "aud",
        "iss",
        "jti",
        "scope",
        "username",
        "client_id",
        "token_type",
    )
    return {**dict.fromkeys(computed, SECRET), "acr": SECRET, "more": 1}


def raising(info: Any, user: Any, caller: Any) -> Any:
    raise KeyError(SECRET)


WRONG: dict[str, Any] = {
    "None": None,
    "a list": [SECRET],
    "a name that is no string": {1: SECRET},
    "an object": {"more": object()},
    "a datetime": {"more": datetime(2026, 1, 1, tzinfo=UTC)},
    "bytes": {"more": SECRET.encode()},
    "no number": {"more": float("nan")},
    "infinity": {"more": [float("inf")]},
}


def returning_wrong(info: Any, user: Any, caller: Any) -> Any:
    return WRONG[info["acr"]]


@pytest.fixture
def hook(settings: Any) -> Callable[[Any], None]:
    def use(function: Any) -> None:
        path = f"{__name__}.{function.__name__}"
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "MEMBERS": path}
        asked.clear()

    return use


@pytest.mark.requirement("7662-2.2-l")
def test_the_hook_adds_members_and_is_told_who_asks(
    hook: Any, token: str, user: Any, resource_server: Any, django_assert_num_queries: Any
) -> None:
    hook(by_caller)
    endpoints.introspect("unknown", auth=resource_server)

    with django_assert_num_queries(1):
        members = members_of(token, resource_server)

    ((info, asked_user, caller),) = asked
    assert (asked_user, caller) == (user, resource_server.client)
    assert (info.sub, info.audiences) == (str(user.pk), (AUDIENCE,))
    assert (members["roles"], members["for"]) == (["buyer"], caller.client_id)
    assert (members["level"], members["trusted"]) == (0, False)
    assert members.keys().isdisjoint({"department", "teams", "title"})


def test_the_hook_is_told_that_a_token_has_no_user(hook: Any, resource_server: Any) -> None:
    hook(by_caller)

    assert "roles" not in members_of(factories.TokenFactory().access_token, resource_server)
    assert asked[0][1] is None


def test_the_hook_is_not_asked_about_what_is_inactive(hook: Any, token: str) -> None:
    hook(by_caller)
    caller = factories.ResourceServerFactory(resources=["urn:elsewhere"])

    for value in ("unknown", token):
        assert_inactive(endpoints.introspect(value, auth=caller))
    assert asked == []


@pytest.mark.requirement("7662-2.2-l")
@pytest.mark.parametrize("refresh", [False, True])
def test_the_hook_overwrites_nothing_and_completes_nothing_that_is_computed(
    hook: Any, settings: Any, db: None, refresh: bool
) -> None:
    hook(overreaching)
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "ISSUER": None}
    caller = factories.RegistrationFactory()
    issued = factories.TokenFactory(client=caller.client, members={"acr": "urn:gold"}, refresh=True, scope="")

    members = members_of(issued.refresh_token if refresh else issued.access_token, caller)

    assert (members["acr"], members["more"]) == ("urn:gold", 1)
    assert SECRET not in str(members)
    assert members.keys().isdisjoint({"username", "nbf", "iss", "scope"})
    assert ("token_type" in members) == (not refresh)


@pytest.mark.requirement("7662-5-a")
def test_what_the_hook_adds_goes_through_the_filter(hook: Any, token: str) -> None:
    hook(by_caller)
    caller = factories.ResourceServerFactory(visible_members=["roles", "exp"])

    assert members_of(token, caller).keys() == {"active", "roles", "exp"}


def assert_fails_closed(token: str, auth: Any, caplog: pytest.LogCaptureFixture, error: str) -> None:
    caplog.set_level(logging.DEBUG)
    response = endpoints.introspect(token, auth=auth)

    assert_refused(response, 503, "temporarily_unavailable", SECRET, token)
    assert response["Retry-After"]
    assert SECRET not in caplog.text
    [line] = [line for line in caplog.messages if "MEMBERS" in line]
    said = (f"raised {error} at ", "returned a value that cannot be used: ")
    assert line.startswith(tuple(f"TOKEN_INTROSPECTION['MEMBERS'] {each}" for each in said))
    assert not [line for line in caplog.messages if line.startswith("token introspected")]


def test_a_hook_that_raises_is_503_and_its_log_names_the_line_alone(
    hook: Any, token: str, resource_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hook(raising)

    assert_fails_closed(token, resource_server, caplog, "KeyError")
    assert f"at test_members.py:{raising.__code__.co_firstlineno + 1}" in caplog.text
    assert_inactive(endpoints.introspect("unknown", auth=resource_server))


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_sent_as_json_is_503(
    hook: Any, resource_server: Any, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    hook(returning_wrong)
    token = factories.TokenFactory(members={"acr": kind}).access_token
    error = "ValueError" if kind in ("no number", "infinity") else "TypeError"

    assert_fails_closed(token, resource_server, caplog, error)


def test_there_is_no_hook_by_default(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"ISSUER": ISSUER}

    assert introspection_settings.MEMBERS is None
