"""RFC 7009: the revocation endpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from django_introspection.models import Token
from django_introspection.protocol import opaque
from tests import endpoints, factories
from tests.authorization_server.helpers import assert_inactive, assert_refused, refusing, sqlite_only


def revoke(token: str, auth: Any = None, **extra: str) -> Any:
    return endpoints.post("/oauth/revoke", {"token": token, **extra}, auth=auth)


def assert_done(response: Any) -> None:
    assert (response.status_code, response.content) == (200, b"")
    assert response["Cache-Control"] == "no-store"


@pytest.fixture
def issued(machine: Any) -> Any:
    """An access token and a refresh token of the machine client."""
    return factories.TokenFactory(client=machine.client, refresh=True)


def is_active(token: str, auth: Any) -> bool:
    return bool(endpoints.introspect(token, auth=auth).json()["active"])


@pytest.mark.requirement("7009-2-a", "7009-2.1-e", "7009-2.2-a", "7662-4-c")
@pytest.mark.parametrize("path", ["/oauth/revoke", "/oauth/revoke/"])
def test_an_access_token_is_inactive_at_once_and_its_refresh_token_lives(
    machine: Any, resource_server: Any, issued: Any, path: str
) -> None:
    assert is_active(issued.access_token, resource_server)

    assert_done(endpoints.post(path, {"token": issued.access_token}, auth=machine))

    assert_inactive(endpoints.introspect(issued.access_token, auth=resource_server))
    assert is_active(issued.refresh_token, machine)


@pytest.mark.requirement("7009-2-a", "7009-2.1-f")
def test_a_refresh_token_takes_every_token_of_its_grant_and_no_other_with_it(machine: Any, issued: Any) -> None:
    bystander = factories.TokenFactory(client=machine.client, refresh=True)

    assert_done(revoke(issued.refresh_token, machine))

    assert_inactive(endpoints.introspect(issued.access_token, auth=machine))
    assert_inactive(endpoints.introspect(issued.refresh_token, auth=machine))
    assert is_active(bystander.access_token, machine)
    assert is_active(bystander.refresh_token, machine)


@pytest.mark.requirement("7009-2.1-d", "7009-2.2-b")
@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "pigeon", ""])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_hint_that_is_wrong_or_unknown_changes_nothing(machine: Any, issued: Any, kind: str, hint: str) -> None:
    value = getattr(issued, kind)

    assert_done(revoke(value, machine, token_type_hint=hint))

    assert_inactive(endpoints.introspect(value, auth=machine))


@pytest.mark.requirement("7009-2.2-a")
@pytest.mark.parametrize(
    "token",
    ["unknown", "dit_at_short", "a\x00b", "x" * 200 * 1024, opaque.generate(opaque.ACCESS_TOKEN), "eyJ.e30."],
    ids=["unknown", "malformed", "NUL", "200 KB", "our shape", "like a JWT"],
)
def test_a_token_that_never_was_is_no_error(machine: Any, token: str) -> None:
    assert_done(revoke(token, machine))


@pytest.mark.requirement("7009-2.2-a")
def test_revoking_twice_is_no_error_and_keeps_the_first_moment(machine: Any, issued: Any, time_machine: Any) -> None:
    assert_done(revoke(issued.access_token, machine))
    first = Token.objects.get(pk=issued.token.pk).revoked_at
    time_machine.move_to(datetime.now(UTC) + timedelta(minutes=10))

    assert_done(revoke(issued.access_token, machine))

    assert Token.objects.get(pk=issued.token.pk).revoked_at == first


@pytest.mark.requirement("7009-2.1-c")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("policy", ["none", "any"])
def test_a_token_of_another_client_is_refused_and_untouched(machine: Any, issued: Any, kind: str, policy: str) -> None:
    stranger = factories.ResourceServerFactory(introspection_policy=policy)
    value = getattr(issued, kind)

    assert_refused(revoke(value, stranger), 400, "invalid_grant", value)

    assert is_active(issued.access_token, machine)
    assert is_active(issued.refresh_token, machine)


@pytest.mark.requirement("7009-2.1-a", "7009-2.2.1-a")
@pytest.mark.parametrize("body", ["", "token=", "token_type_hint=access_token", "token=a&token=b"])
def test_a_missing_or_repeated_token_is_an_invalid_request(machine: Any, body: str) -> None:
    assert_refused(endpoints.post("/oauth/revoke", body, auth=machine), 400, "invalid_request")


@pytest.mark.requirement("7009-2.1-b")
def test_a_client_that_does_not_authenticate_revokes_nothing(machine: Any, issued: Any) -> None:
    assert_refused(revoke(issued.access_token), 401, "invalid_client", issued.access_token)
    assert_refused(revoke(issued.access_token, (machine.client, "wrong")), 401, "invalid_client")
    assert_refused(revoke(issued.access_token, client_id=machine.client.client_id), 401, "invalid_client")

    assert is_active(issued.access_token, machine)


@pytest.mark.requirement("7009-2.3-a")
def test_a_callback_is_ignored_on_post(machine: Any, issued: Any) -> None:
    assert_done(revoke(issued.access_token, machine, callback="package.callback"))


@sqlite_only
@pytest.mark.requirement("7009-2.2.1-b")
def test_a_revocation_that_cannot_be_stored_never_looks_like_success(machine: Any, issued: Any) -> None:
    with refusing("UPDATE", Token):
        response = revoke(issued.refresh_token, machine)

    assert_refused(response, 503, "temporarily_unavailable", issued.refresh_token, "disk full")
    assert int(response["Retry-After"]) > 0
    assert is_active(issued.refresh_token, machine)
