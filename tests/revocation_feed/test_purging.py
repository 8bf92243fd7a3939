"""Rows of the feed that no reader needs any more are deleted, and readers go on."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any, cast

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError

from django_introspection.authorization_server.purging import beside_tokens
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Token
from django_introspection.models.fields import now
from django_introspection.revocation_feed import checks, positions, purging
from django_introspection.revocation_feed.apps import RevocationFeedConfig
from django_introspection.revocation_feed.models import Ending
from django_introspection.revocation_feed.purging import KEPT, purge
from django_introspection.revocation_feed.reading import NAMED_AFTER_EXPIRY
from tests import factories

from .reader import Reader, identity

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_recording")]


@pytest.fixture
def reader(resource_server: Any) -> Reader:
    return Reader(resource_server)


@pytest.fixture
def _due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next request purge, and each one after it."""
    monkeypatch.setattr(purging, "EVERY", 0)
    monkeypatch.setattr(purging, "_due", [0.0])


@pytest.fixture
def _installed(_recording: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the app as a project does; the suite's own leaves `ready` out."""
    monkeypatch.setitem(beside_tokens, Ending, lambda before: Ending.objects.none())  # and remove it afterwards
    monkeypatch.setattr(checks, "register", lambda: None)
    RevocationFeedConfig.ready(cast("RevocationFeedConfig", apps.get_app_config("introspection_revocation_feed")))


def revoked() -> Token:
    token: Token = factories.TokenFactory().token
    revoke_token(token, by=None)
    return token


def pass_time(seconds: int, *, expired: bool = True) -> None:
    """Let the rows be older, and their tokens have expired so long ago."""
    at = now() - timedelta(seconds=seconds)
    Ending.objects.update(recorded_at=at, **({"expires_at": at} if expired else {}))


def expired_rows(number: int) -> None:
    at = now() - timedelta(hours=1)
    Ending.objects.bulk_create(
        [Ending(digest=each.to_bytes(32), expires_at=at, recorded_at=at) for each in range(number)], batch_size=500
    )


def test_rows_of_expired_tokens_are_deleted_and_readers_go_on(reader: Reader) -> None:
    for _ in range(2):
        revoked()
        reader.read()
    pass_time(3600)
    last = Ending.objects.order_by("-position").values_list("pk", flat=True)[0]

    assert purge() == 1
    assert list(Ending.objects.values_list("pk", flat=True)) == [last]
    token = revoked()
    assert identity(token) in reader.read()
    assert reader.restarts == 1


@pytest.mark.usefixtures("_due")
def test_a_reader_whose_position_has_just_become_old_goes_on(reader: Reader, resource_server: Any) -> None:
    """Every reader of a quiet site holds the last position, whose tokens have expired."""
    other = Reader(resource_server)
    revoked()
    reader.read()
    other.read()
    pass_time(3600)

    token = revoked()
    reader.read()
    reader.page()
    assert identity(token) in other.read()
    assert (reader.restarts, other.restarts) == (1, 1)


@pytest.mark.parametrize(("seconds", "left"), [(KEPT - 5, 2), (KEPT + 5, 1)])
def test_a_position_stays_until_every_reader_has_read_on(seconds: int, left: int, reader: Reader) -> None:
    revoked()
    reader.read()
    pass_time(3600)
    new = revoked()
    reader.read()
    Ending.objects.filter(digest=new.digest).update(recorded_at=now() - timedelta(seconds=seconds))

    purge()

    assert Ending.objects.count() == left


def test_a_row_stays_while_its_token_is_named() -> None:
    expired_rows(3)
    first, second, third = Ending.objects.order_by("pk")
    for seconds, row in ((NAMED_AFTER_EXPIRY - 5, first), (NAMED_AFTER_EXPIRY + 5, second)):
        Ending.objects.filter(pk=row.pk).update(expires_at=now() - timedelta(seconds=seconds))
        positions.give("default")
    Ending.objects.filter(pk=third.pk).update(position=9)

    assert purge() == 1
    assert list(Ending.objects.order_by("pk")) == [first, third]


def test_rows_that_no_reader_has_asked_for_are_deleted() -> None:
    expired_rows(3)
    revoked()

    assert purge() == 3
    assert Ending.objects.filter(position=None).count() == 1


def test_one_run_deletes_more_than_a_batch(reader: Reader) -> None:
    expired_rows(purging.BATCH * 3 + 1)

    assert purge() == purging.BATCH * 3 + 1


def test_a_run_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "SECONDS", 0)
    expired_rows(purging.BATCH * 2)

    assert purge() == purging.BATCH


@pytest.mark.usefixtures("_due")
def test_a_request_deletes_them(reader: Reader) -> None:
    reader.read()
    expired_rows(3)

    reader.page()

    assert list(Ending.objects.values_list("position", flat=True)) == [1] * 3  # given by this request, the last one
    revoked()
    pass_time(KEPT + 5, expired=False)
    reader.page()
    assert Ending.objects.count() == 1


@pytest.mark.usefixtures("_due")
def test_an_error_of_the_database_leaves_them(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> int:
        raise DatabaseError

    monkeypatch.setattr(purging, "purge", fail)

    reader.page()

    assert "expired rows of the feed stay: DatabaseError" in caplog.text


def output_of(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("introspection_purge", *arguments, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


@pytest.mark.usefixtures("_installed")
def test_the_command_deletes_them_where_no_reader_asks_the_endpoint() -> None:
    """Readers in the database may have no right to delete, and a server may have no reader."""
    expired_rows(3)

    assert output_of("--dry-run") == {"tokens": 0, "complete": False}
    assert Ending.objects.count() == 3
    assert output_of("--older-than", "2h") == {"tokens": 0, "complete": True}
    assert Ending.objects.count() == 3
    assert output_of() == {"tokens": 0, "complete": True}
    assert Ending.objects.count() == 0


@pytest.mark.usefixtures("_installed")
def test_the_command_leaves_what_readers_need(reader: Reader) -> None:
    token = revoked()
    reader.read()
    at = now() - timedelta(seconds=NAMED_AFTER_EXPIRY - 5)
    Ending.objects.update(expires_at=at, recorded_at=at)
    Token.objects.filter(pk=token.pk).update(expires_at=at)
    revoked()
    positions.give("default")

    output_of()

    assert Ending.objects.count() == 2
