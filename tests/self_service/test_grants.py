"""The live grants of a user: one for each authorization, however many tokens it has."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Client, GrantType, Token
from django_introspection.self_service import grants
from django_introspection.self_service.grants import Grant, UserGrants
from tests import endpoints, factories
from tests.conformance.test_rfc8693 import ACCESS_TOKEN
from tests.settings import AUDIENCE

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 27, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def listed(user: Any, number: Any = 1) -> list[Grant]:
    return list(UserGrants(user).page(number).object_list)


def only(user: Any) -> Grant:
    (grant,) = listed(user)
    return grant


def refreshed(app: Any, refresh_token: str, **form: str) -> Any:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **form}
    answer = endpoints.post("/oauth/token", form, auth=app)
    assert answer.status_code == 200
    return answer.json()


def exchanged(subject_token: str, client: Any) -> Any:
    form = {
        "grant_type": GrantType.TOKEN_EXCHANGE.value,
        "subject_token": subject_token,
        "subject_token_type": ACCESS_TOKEN,
    }
    answer = endpoints.post("/oauth/token", form, auth=client)
    assert answer.status_code == 200, answer.content
    return answer.json()


def orders_api() -> Any:
    return factories.RegistrationFactory(
        client_name="Orders API", grant_types=[GrantType.TOKEN_EXCHANGE], resources=[AUDIENCE]
    )


def test_an_access_token_and_its_refresh_token_are_one_grant(user: Any, app: Any) -> None:
    with time_machine.travel(START, tick=False):
        factories.TokenFactory(client=app.client, user=user, refresh=True, scope="orders:read orders:write")
        grant = only(user)

    assert (grant.app.name, grant.app.client_id, grant.app.grant_count) == ("Calendar", app.client.client_id, 1)
    assert grant.rights.scopes == ("orders:read", "orders:write")
    assert grant.rights.resources == (AUDIENCE,)
    assert (grant.issued_at, grant.starts_at, grant.renewed_at) == (START, None, None)
    assert (grant.is_renewable, grant.expires_at, grant.ends_at) == (True, START + 14 * DAY, START + 30 * DAY)


def test_a_grant_that_was_refreshed_is_still_one_and_keeps_its_first_day(user: Any, app: Any) -> None:
    with time_machine.travel(START, tick=False) as clock:
        token = factories.TokenFactory(
            client=app.client, user=user, refresh=True, scope="orders:read orders:write"
        ).refresh_token
        for _ in range(3):
            clock.shift(HOUR / 2)
            token = refreshed(app, token, scope="orders:read")["refresh_token"]
        Token.objects.filter(revoked_at__isnull=False).delete()  # as a purge does
        grant = only(user)

    assert grant.rights.scopes == ("orders:read", "orders:write")
    assert (grant.issued_at, grant.renewed_at) == (START, START + 1.5 * HOUR)
    assert (grant.expires_at, grant.ends_at) == (START + 1.5 * HOUR + 14 * DAY, START + 30 * DAY)


def test_a_grant_without_a_refresh_token_ends_with_its_access_token(user: Any, app: Any) -> None:
    with time_machine.travel(START, tick=False):
        factories.TokenFactory(client=app.client, user=user)
        grant = only(user)

    assert (grant.is_renewable, grant.expires_at, grant.ends_at) == (False, START + HOUR, START + HOUR)


def test_access_tokens_that_outlive_their_refresh_token_show_all_that_they_allow(
    user: Any, app: Any, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REFRESH_TOKEN_IDLE": 600}
    with time_machine.travel(START, tick=False) as clock:
        issued = factories.TokenFactory(client=app.client, user=user, refresh=True, scope="orders:read orders:write")
        refreshed(app, issued.refresh_token, scope="orders:read")
        clock.shift(700)
        grant = only(user)

    assert (grant.is_renewable, grant.rights.scopes) == (False, ("orders:read", "orders:write"))


def test_a_grant_that_begins_later_is_listed_with_its_beginning(user: Any, app: Any) -> None:
    with time_machine.travel(START, tick=False) as clock:
        factories.TokenFactory(client=app.client, user=user, not_before=START + HOUR / 2)
        before = only(user).starts_at
        clock.shift(HOUR / 2)

        assert (before, only(user).starts_at) == (START + HOUR / 2, None)


@pytest.mark.parametrize("end", ["revoked", "expired", "client disabled", "client's own", "another user's"])
def test_only_live_grants_of_the_user_are_listed(user: Any, app: Any, end: str) -> None:
    own = None if end == "client's own" else factories.UserFactory() if end == "another user's" else user
    with time_machine.travel(START, tick=False) as clock:
        issued = factories.TokenFactory(client=app.client, user=own, refresh=True)
        if end == "revoked":
            revoke_token(Token.objects.get(kind="refresh"), by=None)
        elif end == "expired":
            clock.shift(14 * DAY)
        elif end == "client disabled":
            Client.objects.update(is_active=False)

        assert listed(user) == []
        assert UserGrants(user).find(issued.token.grant_id) is None
        assert UserGrants(user).counts() == {}


def test_a_grant_lives_until_its_last_token_ends(user: Any, app: Any) -> None:
    with time_machine.travel(START, tick=False) as clock:
        issued = factories.TokenFactory(client=app.client, user=user, refresh=True)
        revoke_token(issued.token, by=None)
        assert only(user).is_renewable
        clock.shift(14 * DAY - timedelta(seconds=1))
        assert only(user).is_renewable
        clock.shift(1)
        assert listed(user) == []


def test_an_exchanged_token_belongs_to_the_grant_of_the_app_that_passed_it_on(user: Any, app: Any) -> None:
    issued = factories.TokenFactory(client=app.client, user=user, refresh=True)
    api = orders_api()
    for _ in range(3):
        exchanged(issued.access_token, api)

    grant = only(user)

    assert (grant.app.name, grant.app.grant_count, grant.passed_on_to) == ("Calendar", 1, ("Orders API",))
    assert grant.renewed_at is None
    assert UserGrants(user).client(api.client.pk) is None
    assert UserGrants(user).counts() == {app.client.pk: 1}


def test_a_refreshed_grant_is_still_that_of_the_app_when_its_used_tokens_are_purged(user: Any, app: Any) -> None:
    issued = factories.TokenFactory(client=app.client, user=user, refresh=True)
    token = refreshed(app, issued.refresh_token)["access_token"]
    exchanged(token, orders_api())
    Token.objects.filter(rotated_at__isnull=False).delete()

    assert (only(user).app.name, only(user).passed_on_to) == ("Calendar", ("Orders API",))


def test_a_grant_whose_id_has_no_time_in_it_was_issued_with_its_oldest_token(user: Any, app: Any) -> None:
    with time_machine.travel(START, tick=False):
        factories.TokenFactory(client=app.client, user=user)
        Token.objects.update(grant_id=uuid.uuid4(), issued_at=START - HOUR)

        assert only(user).issued_at == START - HOUR


def test_resources_have_the_names_of_the_settings_and_details_their_types(user: Any, app: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {
        **settings.TOKEN_INTROSPECTION,
        "RESOURCES": {AUDIENCE: {"SCOPES": ["orders:read"], "NAME": "Your orders"}},
        "AUTHORIZATION_DETAILS_TYPES": {"payment": None},
    }
    details = [{"type": "payment", "actions": ["initiate"]}, {"type": "payment", "actions": ["status"]}]
    audience = [AUDIENCE, "urn:other"]
    factories.TokenFactory(client=app.client, user=user, audience=audience, authorization_details=details)

    rights = only(user).rights

    assert (rights.resources, rights.details) == (("Your orders", "urn:other"), ("payment",))


def test_grants_are_listed_by_the_name_of_the_app_and_the_newest_first(user: Any, app: Any, invoices: Client) -> None:
    other = factories.RegistrationFactory(client_name="Calendar").client
    with time_machine.travel(START, tick=False) as clock:
        for client in (invoices, app.client, other, app.client):
            clock.shift(60)
            factories.TokenFactory(client=client, user=user)
        shown = [(grant.app.pk, grant.app.grant_count, grant.issued_at) for grant in listed(user)]

    minutes = [START + timedelta(minutes=minute) for minute in range(5)]
    assert shown == [
        (app.client.pk, 2, minutes[4]),
        (app.client.pk, 2, minutes[2]),
        (other.pk, 1, minutes[3]),
        (invoices.pk, 1, minutes[1]),
    ]


@pytest.mark.parametrize(("number", "shown"), [(None, 2), ("2", 1), ("99", 1), ("-1", 1), ("x", 2), ("9" * 5000, 2)])
def test_a_page_that_is_not_there_is_the_nearest_one(
    user: Any, app: Any, number: Any, shown: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr(grants, "PAGE_SIZE", 2)
    for _ in range(3):
        factories.TokenFactory(client=app.client, user=user)

    assert len(listed(user, number)) == shown


def test_moments_are_in_the_time_zone_of_the_request(user: Any, app: Any) -> None:
    factories.TokenFactory(client=app.client, user=user)

    with timezone.override("Asia/Tokyo"):
        assert only(user).issued_at.utcoffset() == 9 * HOUR


def captured(user: Any) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        listed(user)
    return [query["sql"] for query in queries]


def test_however_many_tokens_there_are_a_page_takes_four_statements(user: Any, app: Any) -> None:
    factories.TokenFactory(client=app.client, user=user, refresh=True)
    one = captured(user)
    api = orders_api()
    for number in range(12):
        client = factories.RegistrationFactory(client_name=f"App {number}", grant_types=[GrantType.REFRESH_TOKEN])
        for _ in range(3):
            issued = factories.TokenFactory(client=client.client, user=user, refresh=True)
            refreshed(client, issued.refresh_token)
            exchanged(issued.access_token, api)
    many = captured(user)

    assert (len(one), len(many)) == (4, 4)
    assert not [sql for sql in [*one, *many] if "digest" in sql]


def test_nothing_to_list_takes_two_statements(user: Any) -> None:
    assert len(captured(user)) <= 2
