"""What must happen together or not at all, in a database that is not `default`: run by `test_journey.py`."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connections, transaction

from django_introspection import cut_offs, revocations
from django_introspection.authorization_server import ending, issuing, rotation
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.models import Client, GrantType, Token, TokenKind
from django_introspection.revocation_feed import positions, recording
from django_introspection.revocation_feed.models import Ending, Feed
from django_introspection.revocation_feed.news import news
from django_introspection.security_events import cut_off
from django_introspection.security_events.models import CutOff
from tests import caches as test_caches
from tests import endpoints, factories

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


class Broken(Exception):
    """The second half of the work fails."""


def broken(*args: Any, **kwargs: Any) -> Any:
    raise Broken


@pytest.fixture
def holder() -> Any:
    return factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN])


@pytest.fixture(autouse=True)
def _only_the_second_database() -> Any:
    with connections["default"].execute_wrapper(broken):
        yield


@pytest.fixture
def tombstones(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}


def test_a_client_is_registered_with_its_secret_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "add_secret", broken)

    with pytest.raises(Broken):
        Client.objects.register(client_name="shop")

    assert not Client.objects.exists()


def test_both_tokens_are_issued_or_none(holder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "create_refresh_token", broken)

    with pytest.raises(Broken):
        factories.TokenFactory(client=holder.client, refresh=True)

    assert not Token.objects.exists()


@pytest.mark.parametrize("grace", [0, 60])
def test_a_refresh_that_fails_uses_nothing_up(
    holder: Any, monkeypatch: pytest.MonkeyPatch, settings: Any, grace: int
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REFRESH_GRACE": grace}
    issued = factories.TokenFactory(client=holder.client, refresh=True)
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    if grace:
        assert endpoints.post("/oauth/token", form, auth=holder).status_code == 200
    live = set(Token.objects.filter(revoked_at=None).values_list("pk", flat=True))
    monkeypatch.setattr(rotation, "create_refresh_token", broken)

    with pytest.raises(Broken):
        endpoints.post("/oauth/token", form, auth=holder)

    assert set(Token.objects.filter(revoked_at=None).values_list("pk", flat=True)) == live


@pytest.mark.usefixtures("tombstones")
def test_tombstones_are_written_again_after_the_commit_of_that_database(holder: Any) -> None:
    issued = factories.TokenFactory(client=holder.client)

    with transaction.atomic(using="second"):
        revoke_token(issued.token, by=None)
        test_caches.empty()

    assert revocations.is_revoked(issued.token.digest)


@pytest.mark.usefixtures("tombstones")
def test_disabling_is_followed_after_the_commit_of_that_database(holder: Any) -> None:
    issued = factories.TokenFactory(client=holder.client)

    with transaction.atomic(using="second"):
        holder.client.is_active = False
        holder.client.save()
        assert not revocations.is_revoked(issued.token.digest)

    assert revocations.is_revoked(issued.token.digest)


@pytest.mark.usefixtures("tombstones")
def test_all_tokens_are_deleted_or_none(holder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "BATCH", 1)
    for _ in range(2):
        factories.TokenFactory(client=holder.client)
    write, written = revocations.write_tombstones, []

    def write_once(tokens: Any) -> None:
        if written:
            raise IntrospectionUnavailable
        written.append(write(tokens))

    monkeypatch.setattr(revocations, "write_tombstones", write_once)
    with pytest.raises(IntrospectionUnavailable):
        Token.objects.all().delete()

    assert Token.objects.filter(kind=TokenKind.ACCESS).count() == 2


@pytest.mark.usefixtures("tombstones")
def test_a_client_is_deleted_in_that_database(holder: Any) -> None:
    issued = factories.TokenFactory(client=holder.client, refresh=True)

    holder.client.delete()

    assert not Token.objects.exists()
    assert revocations.is_revoked(issued.token.digest)


@pytest.fixture
def feed() -> Any:
    recording.connect()
    yield
    recording.disconnect()
    news.stop()


@pytest.mark.usefixtures("feed")
def test_the_rows_and_the_feed_get_a_position_together(holder: Any) -> None:
    revoke_token(factories.TokenFactory(client=holder.client).token, by=None)
    table = connections["second"].ops.quote_name(Feed._meta.db_table)

    def fail_at_the_feed(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith(f"UPDATE {table}") and "mark" in sql:
            raise Broken
        return execute(sql, *rest)

    with connections["second"].execute_wrapper(fail_at_the_feed), pytest.raises(Broken):
        positions.give("second")

    assert Ending.objects.get().position is None
    assert positions.give("second").position == 1
    assert Ending.objects.get().position == 1


@pytest.mark.usefixtures("feed")
def test_readers_of_the_feed_are_woken_after_the_commit_of_that_database(
    holder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[int] = []
    monkeypatch.setattr(news, "arrived", lambda: woken.append(Ending.objects.count()))
    token = factories.TokenFactory(client=holder.client).token

    with transaction.atomic(using="second"):
        revoke_token(token, by=None)
        assert woken == []

    assert woken == [1]


@pytest.mark.usefixtures("tombstones")
def test_a_cut_off_that_cannot_be_written_for_an_unknown_reason_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_offs, "write", broken)

    with pytest.raises(Broken):
        cut_off("https://auth.example.com", subject="alice")
    assert not CutOff.objects.exists()

    monkeypatch.undo()
    cut_off("https://auth.example.com", subject="alice")
    assert CutOff.objects.count() == 1
