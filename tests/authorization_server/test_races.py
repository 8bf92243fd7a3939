"""Refreshing and revoking at the same moment, with real databases, threads and processes."""

from __future__ import annotations

from collections import Counter
from threading import Event
from typing import Any

import pytest

from django_introspection import revocations, signals
from django_introspection.authorization_server.revoking import revoke_grant, revoke_token
from django_introspection.models import GrantType, Token, TokenKind
from django_introspection.protocol import opaque
from tests import endpoints, factories
from tests.authorization_server.racing import Race, in_threads, run_everywhere
from tests.settings import AUDIENCE

pytestmark = pytest.mark.processes

TYPE = "urn:ietf:params:oauth:token-type:access_token"
USES = 50
"""Refreshes beside a revocation. Before the last one the revocation is waited for: SQLite may let it starve."""


@pytest.fixture
def holder(database_url: str) -> Any:
    return factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN])


def race_for(holder: Any, settings: Any, *, grace: int) -> Race:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REFRESH_GRACE": grace}
    issued = factories.TokenFactory(client=holder.client, user=factories.UserFactory(), refresh=True)
    return Race(endpoints.basic(holder.client.client_id, holder.secret), issued.refresh_token, grace)


@pytest.mark.requirement("9700-4.14.2-b", "9700-4.14.2-c")
def test_of_many_uses_at_once_one_succeeds_and_the_grant_is_dead(holder: Any, settings: Any, database_url: str) -> None:
    results = run_everywhere(race_for(holder, settings, grace=0), database_url, processes=3)

    assert len(results) == 200
    assert Counter(status for status, _ in results) == {200: 1, 400: 199}
    assert {said for status, said in results if status == 400} == {"invalid_grant"}
    assert not Token.objects.filter(revoked_at=None).exists()


@pytest.mark.requirement("9700-4.14.2-c")
def test_of_many_uses_at_once_within_the_grace_one_refresh_token_is_left(
    holder: Any, settings: Any, database_url: str
) -> None:
    results = run_everywhere(race_for(holder, settings, grace=600), database_url, processes=3)

    live = Token.objects.get(kind=TokenKind.REFRESH, revoked_at=None)
    assert Counter(status for status, _ in results) == {200: len(results)}
    assert [said for _, said in results if opaque.digest(said) == live.digest]


@pytest.mark.requirement("9700-4.14.2-c")
@pytest.mark.parametrize("moment", range(8))
def test_no_token_survives_a_revocation_that_meets_a_refresh(holder: Any, settings: Any, moment: int) -> None:
    race = race_for(holder, settings, grace=0)
    grant_id = Token.objects.values_list("grant_id", flat=True).distinct().get()
    Token.objects.filter(kind=TokenKind.ACCESS).delete()
    under_way, is_revoked = Event(), Event()

    def refresh_until_refused() -> None:
        answer = {"refresh_token": race.refresh_token}
        for use in range(USES):
            if use == USES - 1:
                is_revoked.wait(timeout=60)
            form = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]}
            answer = endpoints.post("/oauth/token", form, auth=race.authorization).json()
            if use >= moment:
                under_way.set()
            if "error" in answer:
                break
        assert answer["error"] == "invalid_grant"

    def revoke() -> None:
        assert under_way.wait(timeout=60)
        revoke_grant(grant_id, by=None)
        is_revoked.set()

    in_threads([refresh_until_refused, revoke])

    assert not Token.objects.filter(revoked_at=None).exists()


@pytest.mark.parametrize("moment", range(4))
def test_no_token_survives_a_revocation_that_meets_its_exchange(database_url: str, moment: int) -> None:
    api = factories.RegistrationFactory(grant_types=[GrantType.TOKEN_EXCHANGE], resources=[AUDIENCE])
    subject = factories.TokenFactory(user=factories.UserFactory(), audience=[AUDIENCE])
    under_way, is_revoked = Event(), Event()

    def exchange_until_refused() -> None:
        value = subject.access_token
        for use in range(USES):
            if use == USES - 1:
                is_revoked.wait(timeout=60)
            form = {"grant_type": GrantType.TOKEN_EXCHANGE.value, "subject_token": value, "subject_token_type": TYPE}
            answer = endpoints.post("/oauth/token", form, auth=api).json()
            if use >= moment:
                under_way.set()
            if "error" in answer:
                break
            if use % 3 == 0:  # short chains, long before there are too many actors in one
                value = answer["access_token"] if use % 9 == 0 else subject.access_token
        assert answer["error"] == "invalid_request"

    def revoke() -> None:
        assert under_way.wait(timeout=60)
        revoke_token(subject.token, by=None)
        is_revoked.set()

    in_threads([exchange_until_refused, revoke])

    assert Token.objects.exclude(pk=subject.token.pk).exists()
    assert not Token.objects.filter(revoked_at=None).exists()


def test_everyone_who_presents_a_used_token_again_is_told_as_such_and_once_for_each(holder: Any, settings: Any) -> None:
    race = race_for(holder, settings, grace=0)
    told: list[Any] = []

    def receiver(grant_id: Any, **_: Any) -> None:
        told.append(grant_id)

    def use() -> None:
        form = {"grant_type": "refresh_token", "refresh_token": race.refresh_token}
        endpoints.post("/oauth/token", form, auth=race.authorization)

    signals.refresh_token_reused.connect(receiver)
    try:
        in_threads([use] * 6)
    finally:
        signals.refresh_token_reused.disconnect(receiver)

    assert len(told) == 5
    assert len(set(told)) == 1


@pytest.mark.parametrize("moment", range(4))
@pytest.mark.parametrize("owner", ["user", "client"])
def test_an_owner_is_deleted_beside_a_refresh_and_no_token_is_left(
    holder: Any, settings: Any, moment: int, owner: str
) -> None:
    race = race_for(holder, settings, grace=0)
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    first = Token.objects.select_related("client", "user").first()
    assert first is not None
    under_way, is_deleted = Event(), Event()
    issued: list[str] = []

    def refresh_until_refused() -> None:
        token = race.refresh_token
        for use in range(USES):
            if use == USES - 1:
                is_deleted.wait(timeout=60)
            form = {"grant_type": "refresh_token", "refresh_token": token}
            response = endpoints.post("/oauth/token", form, auth=race.authorization)
            if use >= moment:
                under_way.set()
            if response.status_code != 200:
                break
            issued.append(response.json()["access_token"])
            token = response.json()["refresh_token"]
        assert response.status_code in (400, 401, 503)

    def delete() -> None:
        assert under_way.wait(timeout=60)
        getattr(first, owner).delete()
        is_deleted.set()

    in_threads([refresh_until_refused, delete])

    assert not Token.objects.exists()
    assert all(revocations.is_revoked(opaque.digest(token)) for token in issued)
