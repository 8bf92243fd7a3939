"""RFC 7662: the introspection endpoint of the authorization server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.test import Client as Browser

from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Client, Token
from django_introspection.protocol import opaque
from django_introspection.protocol.token_info import TokenInfo
from tests import endpoints, factories
from tests.authorization_server.helpers import (
    assert_inactive,
    assert_refused,
    bearer,
    introspecting_client,
    whole,
)
from tests.settings import AUDIENCE, ISSUER

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def marked_username(user: Any) -> str:
    """The SUBJECT hook of a test."""
    return f"sub:{user.get_username()}"


@pytest.fixture
def token(db: None) -> str:
    """An access token of another client for the orders API."""
    return factories.TokenFactory().access_token


@pytest.mark.requirement("7662-2-a", "6749-2.3.1-f")
def test_plain_http_is_refused_where_the_project_enforces_tls(settings: Any, resource_server: Any, token: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", *settings.MIDDLEWARE]

    response = endpoints.introspect(token, auth=resource_server)

    assert response.status_code == 301
    assert b"active" not in response.content


@pytest.mark.requirement("7662-2.1-a", "7662-2.2-a", "7662-2.2-o")
@pytest.mark.parametrize("path", ["/oauth/introspect", "/oauth/introspect/"])
def test_a_form_that_is_posted_gets_a_json_object_that_nobody_caches(
    resource_server: Any, token: str, path: str
) -> None:
    response = endpoints.post(path, {"token": token}, auth=resource_server)

    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    assert response.json()["active"] is True
    assert not response.cookies


@pytest.mark.requirement("7662-2.1-b")
def test_get_is_refused_so_that_tokens_stay_out_of_urls(resource_server: Any, token: str) -> None:
    response = Browser().get(
        "/oauth/introspect",
        {"token": token},
        headers={"Authorization": endpoints.basic(resource_server.client.client_id, resource_server.secret)},
    )

    assert_refused(response, 405, "invalid_request", token)
    assert response["Allow"] == "POST"


@pytest.mark.requirement("7662-2.1-c")
def test_a_token_in_the_url_of_a_post_is_not_read(resource_server: Any, token: str) -> None:
    assert_refused(
        endpoints.post(f"/oauth/introspect?token={token}", auth=resource_server), 400, "invalid_request", token
    )


@pytest.mark.requirement("7662-2.1-d", "7662-2.1-e")
@pytest.mark.parametrize("body", ["", "token=", "token", "token=a&token=b", "token=a&token=", "token=a&x=1&x=1"])
def test_a_missing_empty_or_repeated_parameter_is_an_invalid_request(resource_server: Any, body: str) -> None:
    assert_refused(endpoints.post("/oauth/introspect", body, auth=resource_server), 400, "invalid_request")


@pytest.mark.requirement("7662-2.1-f", "7662-2.1-g", "7662-2.1-h")
@pytest.mark.parametrize(
    "extra",
    [
        {"token_type_hint": "refresh_token"},
        {"token_type_hint": "access_token"},
        {"token_type_hint": "pigeon"},
        {"token_type_hint": ""},
        {"foo": "1", "resource": "not a uri", "scope": '"'},
    ],
)
def test_a_hint_and_unknown_parameters_change_nothing(resource_server: Any, token: str, extra: dict[str, str]) -> None:
    plain = endpoints.introspect(token, auth=resource_server)

    with_extra = endpoints.post("/oauth/introspect", {"token": token, **extra}, auth=resource_server)

    assert plain.json()["active"] is True
    assert whole(with_extra) == whole(plain)


@pytest.mark.requirement("7662-2.1-f")
@pytest.mark.parametrize("hint", ["refresh_token", "access_token", ""])
def test_a_refresh_token_is_found_whatever_the_hint(machine: Any, hint: str) -> None:
    issued = factories.TokenFactory(client=machine.client, refresh=True)

    response = endpoints.post(
        "/oauth/introspect", {"token": issued.refresh_token, "token_type_hint": hint}, auth=machine
    )

    assert response.json()["active"] is True


@pytest.mark.requirement("7662-2.1-i", "7662-4-f", "9110-15.5.2-a")
@pytest.mark.parametrize("extra", [{}, {"client_id": "known"}, {"client_id": "known", "client_secret": ""}])
def test_a_caller_without_credentials_is_told_both_ways_to_authenticate(
    db: None, token: str, extra: dict[str, str]
) -> None:
    factories.ResourceServerFactory(client_id="known")

    response = endpoints.post("/oauth/introspect", {"token": token, **extra})

    assert_refused(response, 401, "invalid_client", token)
    assert response["WWW-Authenticate"] == 'Basic realm="oauth", Bearer realm="oauth"'


@pytest.mark.requirement("7662-2.1-j")
def test_a_caller_may_use_an_access_token_of_its_own(db: None, token: str) -> None:
    response = endpoints.introspect(token, auth=bearer(introspecting_client()))

    assert response.json()["active"] is True


def _expired(time_machine: Any) -> str:
    now = datetime.now(UTC)
    time_machine.move_to(now - timedelta(hours=2))
    value = factories.TokenFactory().access_token
    time_machine.move_to(now)
    return str(value)


def _revoked(_: Any) -> str:
    issued = factories.TokenFactory()
    revoke_token(issued.token, by=None)
    return str(issued.access_token)


def _of_inactive_user(_: Any) -> str:
    issued = factories.TokenFactory(user=factories.UserFactory())
    get_user_model().objects.filter(pk=issued.token.user_id).update(is_active=False)
    return str(issued.access_token)


def _of_deleted_user(_: Any) -> str:
    issued = factories.TokenFactory(user=factories.UserFactory())
    issued.token.user.delete()
    return str(issued.access_token)


def _of_inactive_client(_: Any) -> str:
    issued = factories.TokenFactory()
    Client.objects.filter(pk=issued.token.client_id).update(is_active=False)
    return str(issued.access_token)


CAUSES = {
    "unknown": lambda _: "no-such-token",
    "unknown with our shape": lambda _: opaque.generate(opaque.ACCESS_TOKEN),
    "malformed with our prefix": lambda _: "dit_at_short",
    "a client secret": lambda _: factories.RegistrationFactory().secret,
    "control characters": lambda _: "a\x00b\n",
    "binary": lambda _: "".join(map(chr, range(1, 256))),
    "not ASCII": lambda _: "tökèn 🎈",
    "like a JWT": lambda _: "eyJhbGciOiJub25lIn0.eyJhY3RpdmUiOnRydWV9.",
    "200 KB": lambda _: "x" * 200 * 1024,
    "expired": _expired,
    "not yet valid": lambda _: factories.TokenFactory(not_before=datetime.now(UTC) + timedelta(hours=1)).access_token,
    "revoked": _revoked,
    "user inactive": _of_inactive_user,
    "user deleted": _of_deleted_user,
    "client inactive": _of_inactive_client,
    "another audience": lambda _: factories.TokenFactory(audience=["https://elsewhere.example"]).access_token,
    "no audience": lambda _: factories.TokenFactory(audience=[]).access_token,
    "audience with more behind": lambda _: factories.TokenFactory(audience=[f"{AUDIENCE}/more"]).access_token,
    "a refresh token of another client": lambda _: factories.TokenFactory(refresh=True).refresh_token,
}


@pytest.mark.requirement("7662-2.2-b", "7662-2.2-c", "7662-2.2-d", "7662-2.3-c", "7662-4-c", "7662-4-e")
@pytest.mark.parametrize("cause", CAUSES)
def test_every_token_that_is_not_good_here_gets_the_same_bytes_and_headers(
    resource_server: Any, time_machine: Any, cause: str
) -> None:
    token = CAUSES[cause](time_machine)

    response = endpoints.introspect(token, auth=resource_server)

    assert_inactive(response)
    assert whole(response) == whole(endpoints.introspect("any other unknown token", auth=resource_server))


@pytest.mark.requirement("7662-4-a")
def test_a_token_is_active_to_its_last_second_and_not_at_its_expiry(resource_server: Any, time_machine: Any) -> None:
    time_machine.move_to(START, tick=False)
    token = factories.TokenFactory(lifetime=timedelta(minutes=10)).access_token
    time_machine.move_to(START + timedelta(seconds=599, milliseconds=999), tick=False)
    last = endpoints.introspect(token, auth=resource_server)
    time_machine.move_to(START + timedelta(seconds=600), tick=False)

    assert last.json()["exp"] == int(START.timestamp()) + 600
    assert_inactive(endpoints.introspect(token, auth=resource_server))


@pytest.mark.requirement("7662-4-b")
def test_a_token_is_active_from_the_second_of_its_not_before(resource_server: Any, time_machine: Any) -> None:
    time_machine.move_to(START, tick=False)
    token = factories.TokenFactory(not_before=START + timedelta(minutes=1)).access_token
    time_machine.move_to(START + timedelta(seconds=59, milliseconds=999), tick=False)
    early = endpoints.introspect(token, auth=resource_server)
    time_machine.move_to(START + timedelta(seconds=60), tick=False)

    assert_inactive(early)
    assert endpoints.introspect(token, auth=resource_server).json()["nbf"] == int(START.timestamp()) + 60


@pytest.mark.requirement("7662-4-c")
def test_an_account_that_is_enabled_again_has_its_tokens_back(resource_server: Any, user: Any) -> None:
    token = factories.TokenFactory(user=user).access_token
    user.is_active = False
    user.save()
    assert_inactive(endpoints.introspect(token, auth=resource_server))
    user.is_active = True
    user.save()

    assert endpoints.introspect(token, auth=resource_server).json()["active"] is True


@pytest.mark.requirement(
    "7662-2.2-a", "7662-2.2-e", "7662-2.2-f", "7662-2.2-g", "7662-2.2-h", "7662-2.2-i", "7662-2.2-j"
)
def test_the_members_of_a_token_of_a_user_have_the_types_of_the_standard(
    resource_server: Any, machine: Any, user: Any, time_machine: Any
) -> None:
    time_machine.move_to(START, tick=False)
    issued = factories.TokenFactory(
        client=machine.client, user=user, scope="orders:read orders:write", audience=[AUDIENCE, "urn:other"]
    )

    assert endpoints.introspect(issued.access_token, auth=resource_server).json() == {
        "active": True,
        "scope": "orders:read orders:write",
        "client_id": machine.client.client_id,
        "username": user.username,
        "token_type": "Bearer",
        "exp": int(START.timestamp()) + 3600,
        "iat": int(START.timestamp()),
        "sub": str(user.pk),
        "aud": [AUDIENCE, "urn:other"],
        "iss": ISSUER,
        "jti": str(issued.token.pk),
    }


@pytest.mark.django_db
@pytest.mark.requirement("7662-2.2-f")
@pytest.mark.parametrize("use_tz", [True, False])
@pytest.mark.parametrize("zone", ["America/New_York", "UTC", "Asia/Kolkata"])
@pytest.mark.parametrize(
    "start",
    [datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 3, 8, 6, 30, tzinfo=UTC)],
    ids=["autumn", "spring"],
)
def test_times_are_seconds_since_the_epoch_in_every_zone_through_daylight_saving(
    settings: Any, time_machine: Any, use_tz: bool, zone: str, start: datetime
) -> None:
    settings.USE_TZ, settings.TIME_ZONE = use_tz, zone
    time_machine.move_to(start, tick=False)
    caller = factories.ResourceServerFactory()
    token = factories.TokenFactory(not_before=start).access_token

    members = endpoints.introspect(token, auth=caller).json()

    epoch = int(start.timestamp())
    assert (members["iat"], members["nbf"], members["exp"]) == (epoch, epoch, epoch + 3600)
    assert all(type(members[name]) is int for name in ("iat", "nbf", "exp"))
    time_machine.move_to(start + timedelta(hours=1), tick=False)
    assert_inactive(endpoints.introspect(token, auth=caller))


@pytest.mark.requirement("7662-2.2-i")
def test_the_subject_is_what_the_project_says(settings: Any, resource_server: Any, user: Any) -> None:
    settings.TOKEN_INTROSPECTION = {
        **settings.TOKEN_INTROSPECTION,
        "SUBJECT": f"{__name__}.marked_username",
    }
    members = endpoints.introspect(factories.TokenFactory(user=user).access_token, auth=resource_server).json()

    assert (members["sub"], members["username"]) == (f"sub:{user.username}", user.username)


@pytest.mark.requirement("7662-2.2-m")
def test_what_a_token_has_not_is_left_out_never_null_or_empty(settings: Any, machine: Any) -> None:
    settings.TOKEN_INTROSPECTION = {}
    issued = factories.TokenFactory(client=machine.client, scope="", audience=[], members={"acr": None, "amr": []})

    members = endpoints.introspect(issued.access_token, auth=machine).json()

    assert members.keys() == {"active", "client_id", "token_type", "exp", "iat", "sub", "jti"}
    assert members["sub"] == machine.client.client_id


@pytest.mark.requirement("7662-2.2-l")
def test_further_members_of_a_token_are_top_level(resource_server: Any) -> None:
    further = {"acr": "urn:gold", "auth_time": 1_700_000_000, "act": {"sub": "agent"}}

    members = endpoints.introspect(factories.TokenFactory(members=further).access_token, auth=resource_server).json()

    assert {name: members[name] for name in further} == further


@pytest.mark.requirement("7662-2.2-l")
@pytest.mark.parametrize("name", ["active", "exp", "nbf", "sub", "aud", "username", "jti", "scope"])
def test_a_further_member_cannot_stand_in_for_one_that_is_computed(db: None, name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        factories.TokenFactory(members={name: "mine"})


@pytest.mark.requirement("9449-6.2-a", "8705-3.2-a", "7662-2.2-j")
@pytest.mark.parametrize(("cnf", "token_type"), [({"jkt": "x" * 43}, "DPoP"), ({"x5t#S256": "y" * 43}, "Bearer")])
def test_a_bound_token_is_described_with_its_key(resource_server: Any, cnf: dict[str, str], token_type: str) -> None:
    issued = factories.TokenFactory(members={"cnf": cnf})

    members = endpoints.introspect(issued.access_token, auth=resource_server).json()

    assert (members["cnf"], members["token_type"]) == (cnf, token_type)


@pytest.mark.requirement("7662-2.2-j", "7662-2.2-n")
@pytest.mark.parametrize("policy", ["own", "audience", "any"])
def test_a_refresh_token_is_described_to_its_holder_alone_and_has_no_token_type(db: None, policy: str) -> None:
    holder = factories.RegistrationFactory(introspection_policy=policy, resources=[AUDIENCE])
    other = factories.ResourceServerFactory(introspection_policy=policy)
    value = factories.TokenFactory(client=holder.client, refresh=True).refresh_token

    members = endpoints.introspect(value, auth=holder).json()

    assert members["active"] is True
    assert "token_type" not in members
    assert members["token_use"] == "refresh_token"
    assert TokenInfo(members).is_access_token is False
    assert_inactive(endpoints.introspect(value, auth=other))


@pytest.mark.requirement("7662-2.3-a", "6749-5.2-b", "6749-5.2-c", "7617-2-a")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_wrong_credentials_are_401_whatever_the_method(db: None, token: str, method: str) -> None:
    client = factories.ResourceServerFactory(token_endpoint_auth_method=method).client
    wrong = opaque.generate(opaque.CLIENT_SECRET)
    if method == "client_secret_basic":
        response = endpoints.introspect(token, auth=(client, wrong))
    else:
        form = {"token": token, "client_id": client.client_id, "client_secret": wrong}
        response = endpoints.post("/oauth/introspect", form)

    assert_refused(response, 401, "invalid_client", token, wrong)
    assert response["WWW-Authenticate"].startswith('Basic realm="')


@pytest.mark.requirement("7662-2.3-b", "9701-8.2-a")
def test_a_bearer_caller_without_the_scope_is_401_and_told_what_it_lacks(machine: Any, token: str) -> None:
    weak = factories.TokenFactory(client=machine.client, audience=[ISSUER]).access_token

    response = endpoints.introspect(token, auth=f"Bearer {weak}")

    assert_refused(response, 401, "insufficient_scope", token, weak)
    assert response["WWW-Authenticate"] == 'Bearer realm="oauth", error="insufficient_scope", scope="introspection"'


@pytest.mark.requirement("7662-4-g")
def test_a_client_without_permission_is_403_for_good_and_bad_tokens_alike(db: None, token: str) -> None:
    caller = factories.ResourceServerFactory(introspection_policy="none")

    known = endpoints.introspect(token, auth=caller)

    assert_refused(known, 403, "unauthorized_client", token)
    assert whole(known) == whole(endpoints.introspect("unknown", auth=caller))


@pytest.mark.requirement("7662-4-h", "9701-3-a")
def test_credentials_for_introspection_alone_get_no_tokens(resource_server: Any) -> None:
    response = endpoints.post("/oauth/token", {"grant_type": "client_credentials"}, auth=resource_server)

    assert_refused(response, 400, "unauthorized_client")
    assert not Token.objects.exists()


@pytest.mark.requirement("7662-4-e")
def test_a_token_for_one_resource_server_is_inactive_at_another(resource_server: Any) -> None:
    other = factories.ResourceServerFactory(resources=["https://api.example.com/invoices"])
    token = factories.TokenFactory().access_token

    assert endpoints.introspect(token, auth=resource_server).json()["active"] is True
    assert_inactive(endpoints.introspect(token, auth=other))
