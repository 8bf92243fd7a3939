"""The feed of revocations as resource servers read it."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import product
from secrets import token_bytes
from typing import Any

import pytest
from django.db.models import Count
from django.test import Client as Browser

from django_introspection.authorization_server.revoking import revoke_grant, revoke_token
from django_introspection.models import Token
from django_introspection.models.fields import now
from django_introspection.revocation_feed import positions, reading, recording
from django_introspection.revocation_feed.models import Ending, Feed
from django_introspection.revocation_feed.purging import purge
from tests import endpoints, factories
from tests.authorization_server.helpers import assert_refused, bearer, introspecting_client

from .reader import PATH, Reader, identity

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_recording")]


@pytest.fixture
def reader(resource_server: Any) -> Reader:
    return Reader(resource_server)


def revoked(**grant: Any) -> Token:
    token: Token = factories.TokenFactory(**grant).token
    revoke_token(token, by=None)
    return token


def ended(number: int) -> None:
    """Record the ends of tokens of another package, in one transaction."""
    expires_at = now() + timedelta(hours=1)
    rows = [Ending(digest=token_bytes(32), expires_at=expires_at) for _ in range(number)]
    Ending.objects.bulk_create(rows, batch_size=recording.BATCH)


def pages_of(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROWS", rows)
    monkeypatch.setattr(positions, "BATCH", rows - 1)


def test_a_reader_begins_with_every_token_that_has_ended(reader: Reader) -> None:
    tokens = [revoked() for _ in range(3)]
    factories.TokenFactory()

    assert reader.read() == set(map(identity, tokens))
    assert reader.restarts == 1


def test_a_reader_hears_of_each_end_once(reader: Reader) -> None:
    reader.read()
    token = revoked()

    reader.read()
    reader.read()

    assert reader.heard == [(identity(token), True)]
    assert reader.restarts == 1


def test_a_token_that_ended_before_the_app_was_installed_is_among_the_first(reader: Reader) -> None:
    token = revoked()
    Ending.objects.all().delete()

    assert reader.read() == {identity(token)}


LONGEST_ACCEPTED = 2 * 300 + 1
"""The longest LEEWAY of a resource server, and its clock that is behind by as much and one second."""


@pytest.mark.parametrize("is_row_left", [True, False])
@pytest.mark.parametrize("seconds", [31, LONGEST_ACCEPTED + 5])
def test_a_new_reader_hears_of_a_token_for_as_long_as_a_resource_server_could_accept_it(
    seconds: int, is_row_left: bool, reader: Reader
) -> None:
    token = revoked()
    Token.objects.update(expires_at=now() - timedelta(seconds=seconds))
    Ending.objects.update(expires_at=now() - timedelta(seconds=seconds))
    positions.give("default")
    (Token if is_row_left else Ending).objects.all().delete()
    purge()

    assert reader.read() == {identity(token)}


def test_the_return_of_a_token_that_ended_again_is_left_out_after_its_expiry_too(reader: Reader) -> None:
    token = revoked()
    at = now() - timedelta(seconds=31)
    Token.objects.update(expires_at=at)
    Ending.objects.update(expires_at=at)
    Ending.objects.create(digest=token.digest, expires_at=at, is_return=True)

    assert reader.read() == {identity(token)}


def test_pages_hold_a_bounded_number_of_changes(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    pages_of(4, monkeypatch)
    tokens = [revoked() for _ in range(6)]
    pages = []
    while not pages or pages[-1]["more"]:
        pages.append(reader.page())

    assert reader.ended == set(map(identity, tokens))
    assert max(len(page["changes"]) for page in pages) <= 4
    assert [page["restart"] for page in pages] == [True] + [False] * (len(pages) - 1)


@pytest.mark.parametrize("sizes", [sizes for many in (1, 2, 3) for sizes in product((1, 2, 3), repeat=many)])
def test_a_page_ends_between_two_positions_wherever_its_last_row_lies(
    sizes: tuple[int, ...], reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.read()
    pages_of(4, monkeypatch)
    for size in sizes:  # each reading of another reader gives one position
        ended(size)
        positions.give("default")
    pages = []
    while not pages or pages[-1]["more"]:
        pages.append(reader.page())

    assert len(reader.heard) == len(set(reader.heard)) == sum(sizes)
    assert max(len(page["changes"]) for page in pages) <= 4
    assert reader.page()["changes"] == []
    assert reader.restarts == 1


def test_a_position_has_fewer_rows_than_a_page() -> None:
    ended(positions.BATCH * 2 + 1)
    positions.give("default")

    numbers = Ending.objects.order_by().values("position").annotate(number=Count("pk")).values_list("number", flat=True)
    assert sorted(numbers) == [1, positions.BATCH, positions.BATCH]
    assert reading.ROWS > positions.BATCH


def test_a_token_that_expires_before_the_others_is_not_left_out(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages_of(2, monkeypatch)
    client = factories.RegistrationFactory().client
    tokens = [revoked(client=client, lifetime=timedelta(seconds=600 - number * 100)) for number in range(5)]

    assert reader.read() == set(map(identity, tokens))


def test_what_ends_while_a_reader_begins_is_heard(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    pages_of(2, monkeypatch)
    tokens = [revoked() for _ in range(3)]
    reader.page()
    tokens += [revoked() for _ in range(3)]

    assert reader.read() == set(map(identity, tokens))


@pytest.mark.parametrize(
    ("policy", "hears"),
    [("own", {"own"}), ("audience", {"own", "served"}), ("any", {"own", "served", "other"})],
)
def test_a_caller_hears_of_the_tokens_that_it_may_introspect(policy: str, hears: set[str]) -> None:
    caller = factories.ResourceServerFactory(introspection_policy=policy)
    reader = Reader(caller)
    before = {
        "own": revoked(client=caller.client, audience=["https://elsewhere.example"]),
        "served": revoked(),
        "other": revoked(audience=["https://elsewhere.example"]),
    }
    assert reader.read() == {identity(before[name]) for name in hears}

    after = {
        "own": revoked(client=caller.client, audience=["https://elsewhere.example"]),
        "served": revoked(),
        "other": revoked(audience=["https://elsewhere.example"]),
    }
    assert reader.read() == {identity(each[name]) for each in (before, after) for name in hears}


def test_a_caller_that_may_not_introspect_is_refused() -> None:
    caller = factories.ResourceServerFactory(introspection_policy="none")
    response = endpoints.post(PATH, auth=(caller.client, caller.secret))

    assert_refused(response, 403, "unauthorized_client", caller.secret)


def test_a_caller_without_credentials_is_refused() -> None:
    assert_refused(endpoints.post(PATH), 401, "invalid_client")
    assert_refused(Browser().get(PATH), 401, "invalid_client")


def test_a_caller_may_ask_by_get_with_its_credentials_in_the_header(resource_server: Any) -> None:
    header = endpoints.basic(resource_server.client.client_id, resource_server.secret)
    first = Browser().get(PATH, headers={"Authorization": header}).json()
    token = revoked()

    while first["more"]:
        first = Browser().get(PATH, {"after": first["cursor"]}, headers={"Authorization": header}).json()

    assert len(first["changes"]) == 1
    assert token.digest.hex() not in str(first)


def test_a_caller_may_ask_with_a_bearer_token() -> None:
    caller = introspecting_client()
    response = endpoints.post(PATH, auth=bearer(caller))

    assert response.status_code == 200


@pytest.mark.parametrize("name", ["client_secret", "client_assertion", "access_token"])
def test_credentials_in_the_url_are_refused(name: str) -> None:
    assert_refused(Browser().get(PATH, {name: "a secret"}), 400, "invalid_request", "a secret")


@pytest.mark.parametrize("wait", ["x", "-1", "1.5", "99999", "\u0661"])
def test_a_wrong_time_to_wait_is_refused(wait: str, reader: Reader, resource_server: Any) -> None:
    response = endpoints.post(PATH, {"wait": wait}, auth=resource_server)

    assert_refused(response, 400, "invalid_request")


@pytest.mark.parametrize("cursor", ["x" * 300, "a b", "\x00", "é"])
def test_a_malformed_cursor_is_refused(cursor: str, resource_server: Any) -> None:
    response = endpoints.post(PATH, {"after": cursor}, auth=resource_server)

    assert_refused(response, 400, "invalid_request")


@pytest.mark.parametrize(
    "cursor", ["f.x.0.x.x", "f.x.9999999999999999999999.x.x", "t.99999999999999999.x.x", "t.1.1.1", "unknown", "f"]
)
def test_a_cursor_of_another_server_lets_the_reader_begin_anew(cursor: str, reader: Reader) -> None:
    token = revoked()
    reader.cursor = cursor

    assert reader.read() == {identity(token)}
    assert reader.restarts == 1


@pytest.mark.parametrize("loss", ["rows", "history", "feed"])
def test_a_cursor_of_a_history_that_is_lost_lets_the_reader_begin_anew(loss: str, reader: Reader) -> None:
    reader.read()
    revoked()
    reader.read()
    if loss == "feed":
        Feed.objects.all().delete()
        Ending.objects.all().delete()
    elif loss == "rows":
        Feed.objects.update(position=2, mark="another")
        Ending.objects.all().delete()
    else:  # a backup of before was restored, and another token has ended since
        Ending.objects.all().delete()
        Feed.objects.update(position=0, mark="before")
        revoked()
    token = revoked()

    assert identity(token) in reader.read()
    assert reader.restarts == 2


def test_another_policy_lets_a_reader_begin_anew(reader: Reader, resource_server: Any) -> None:
    token = revoked(audience=["https://elsewhere.example"])
    assert reader.read() == set()

    resource_server.client.introspection_policy = "any"
    resource_server.client.save()

    assert reader.read() == {identity(token)}


def test_a_page_names_the_policy_that_it_was_made_by(reader: Reader, resource_server: Any) -> None:
    page = reader.page()

    assert page["policy"] == "audience"
    assert page["resources"] == resource_server.client.resources
    assert page["issuer"] == "https://auth.example.com"
    assert abs(page["now"] - time.time()) < 5


def test_the_metadata_names_the_endpoint() -> None:
    document = Browser().get("/.well-known/oauth-authorization-server").json()

    assert document["revocations_endpoint"] == "https://auth.example.com/oauth/revocations"


def test_a_reader_without_news_reads_with_few_statements(reader: Reader, django_assert_num_queries: Any) -> None:
    reader.read()
    token = factories.TokenFactory(refresh=True).token
    revoke_grant(token.grant_id, by=None)
    reader.read()

    with django_assert_num_queries(4):  # the caller, unnumbered rows, the feed, its rows
        reader.page()
