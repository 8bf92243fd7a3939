"""The clock of a machine jumps by hours, either way: nothing is accepted longer than the jump, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from time_machine import travel

from django_introspection import introspect, revocations
from django_introspection.authorization_server.restoring import restore_all
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import GrantType
from tests import endpoints, factories, jose
from tests.misbehaving.server import MisbehavingServer
from tests.settings import ISSUER, TOKEN_INTROSPECTION

pytestmark = pytest.mark.django_db

HOURS = 3 * 3600
"""Longer than an access token lives, and than any proof or assertion."""
BOTH = pytest.mark.parametrize("jump", [-HOURS, HOURS], ids=["back", "ahead"])
Clock = Callable[[float], Any]


@pytest.fixture
def at() -> Iterator[Clock]:
    """Set the clock to so many seconds from the true time."""
    start = time.time()
    with travel(start, tick=False) as moved:
        yield lambda seconds: moved.move_to(start + seconds)


@pytest.fixture
def holder(db: None) -> Any:
    return factories.RegistrationFactory(grant_types=[GrantType.CLIENT_CREDENTIALS, GrantType.REFRESH_TOKEN])


def get_token(holder: Any, **headers: str) -> Any:
    form = {"grant_type": "client_credentials"}
    return endpoints.post("/oauth/token", form, auth=holder, headers=headers)


def refresh(holder: Any, token: str) -> Any:
    return endpoints.post("/oauth/token", {"grant_type": "refresh_token", "refresh_token": token}, auth=holder)


def is_active(token: str, api: Any) -> bool:
    answer = endpoints.introspect(token, auth=api)
    assert answer.status_code == 200
    return bool(answer.json()["active"])


@BOTH
def test_a_token_lives_by_the_clock_and_no_jump_ends_it_for_good(at: Clock, holder: Any, jump: int) -> None:
    api = factories.ResourceServerFactory()
    token = get_token(holder).json()["access_token"]

    at(jump)
    assert is_active(token, api) is (jump < 0)
    made_meanwhile = get_token(holder).json()["access_token"]
    assert is_active(made_meanwhile, api)
    at(0)
    assert is_active(token, api)
    assert is_active(made_meanwhile, api) is (jump > 0)
    at(2 * HOURS)
    assert not is_active(token, api)
    assert not is_active(made_meanwhile, api)


@BOTH
@pytest.mark.parametrize("grace", [0, 30])
def test_a_refresh_token_is_used_once_before_and_after_a_jump(
    at: Clock, holder: Any, settings: Any, jump: int, grace: int
) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "REFRESH_GRACE": grace}
    issued = factories.TokenFactory(client=holder.client, user=factories.UserFactory(), refresh=True)
    second = refresh(holder, issued.refresh_token).json()["refresh_token"]

    at(jump)
    third = refresh(holder, second)
    assert third.status_code == 200
    assert refresh(holder, issued.refresh_token).status_code == 400, "it was used twice over"
    assert refresh(holder, third.json()["refresh_token"]).status_code == 400, "its grant has ended"


@BOTH
def test_a_revoked_token_stays_revoked(at: Clock, holder: Any, settings: Any, jump: int) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    api = factories.ResourceServerFactory()
    issued = factories.TokenFactory(client=holder.client)
    assert endpoints.post("/oauth/revoke", {"token": issued.access_token}, auth=holder).status_code == 200

    for seconds in (jump, 0):
        at(seconds)
        assert not is_active(issued.access_token, api)


def test_a_revocation_by_a_clock_that_is_ahead_reaches_caches_when_the_tombstones_are_restored(
    at: Clock, settings: Any
) -> None:
    """The documented limit: a token that has expired by the wrong clock gets no tombstone."""
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    issued = factories.TokenFactory()
    at(HOURS)
    revoke_token(issued.token, by=None)

    at(0)
    assert introspect(issued.access_token) is None
    assert restore_all() == 1
    assert revocations.is_revoked(issued.token.digest)


@BOTH
def test_a_purge_by_a_wrong_clock_deletes_no_live_token_if_it_waits_longer_than_the_jump(
    at: Clock, holder: Any, jump: int
) -> None:
    token = get_token(holder).json()["access_token"]

    at(jump)
    call_command("introspection_purge", "--older-than", "1d", stdout=StringIO())
    at(0)

    assert is_active(token, factories.ResourceServerFactory())


@BOTH
@pytest.mark.parametrize("local", [0, 60], ids=["shared", "of the process"])
def test_a_kept_answer_is_asked_for_anew(at: Clock, settings: Any, jump: int, local: int) -> None:
    with MisbehavingServer() as server:
        values = server.settings()
        values["BACKENDS"]["default"]["CACHE"] = {"MAX_AGE": 600, "LOCAL_MAX_AGE": local}
        settings.TOKEN_INTROSPECTION = values
        assert introspect("a-token")
        assert introspect("a-token")
        assert len(server.requests) == 1
        server.behave("inactive")

        at(jump)
        assert introspect("a-token") is None
        assert len(server.requests) == 2


@BOTH
def test_a_used_proof_is_refused(at: Clock, holder: Any, jump: int) -> None:
    proof = jose.proof("", f"{ISSUER}/oauth/token", htm="POST", ath=None)
    assert get_token(holder, DPoP=proof).status_code == 200

    for seconds in (jump, 0):
        at(seconds)
        assert get_token(holder, DPoP=proof).status_code == 400


@BOTH
def test_a_used_assertion_is_refused(at: Clock, jump: int) -> None:
    keys = {"keys": [jose.public("ES256")]}
    client, _ = factories.RegistrationFactory(token_endpoint_auth_method="private_key_jwt", jwks=keys)
    form = {"grant_type": "client_credentials", **jose.asserting(jose.assertion(client.client_id))}
    assert endpoints.post("/oauth/token", form).status_code == 200

    for seconds in (jump, 0):
        at(seconds)
        assert endpoints.post("/oauth/token", form).status_code == 401


@BOTH
def test_wrong_secrets_are_refused_and_right_ones_accepted_whatever_was_counted(
    at: Clock, holder: Any, settings: Any, jump: int
) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "THROTTLE": {"FAILURES": 1}}

    for seconds in (0, jump, 0):
        at(seconds)
        assert {get_token((holder.client, "wrong")).status_code for _ in range(3)} <= {401, 429}
        assert get_token((holder.client, holder.secret)).status_code == 200
