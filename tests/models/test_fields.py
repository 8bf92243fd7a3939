from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import Max

from django_introspection.models import ClientSecret, Token
from django_introspection.models.fields import DigestField, InstantField, now, uuid7
from tests import factories

FIRST = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
"""01:30 in New York, an hour before 01:30 comes again."""
MOMENTS = {
    "before the clocks go back": FIRST,
    "after the clocks went back": FIRST + timedelta(hours=1),
    "before the gap of spring": datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC),
    "after the gap of spring": datetime(2026, 3, 8, 7, tzinfo=UTC),
    "the epoch": datetime(1970, 1, 1, tzinfo=UTC),
    "before the epoch": datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
    "after 2038": datetime(2040, 1, 1, tzinfo=UTC),
    "the last year": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
}


@pytest.fixture(params=[True, False], ids=["USE_TZ", "no USE_TZ"])
def use_tz(request: Any, settings: Any) -> bool:
    settings.USE_TZ = request.param
    return bool(request.param)


@pytest.fixture(params=["America/New_York", "UTC", "Asia/Kathmandu"])
def zone(request: Any, settings: Any) -> str:
    settings.TIME_ZONE = request.param
    return str(request.param)


@pytest.fixture
def secret(machine: Any) -> ClientSecret:
    return ClientSecret.objects.get()


@pytest.mark.usefixtures("use_tz", "zone")
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_moment_comes_back_as_it_was_in_utc(secret: ClientSecret, moment: datetime) -> None:
    secret.expires_at = moment
    secret.save()

    read = ClientSecret.objects.get(expires_at=moment).expires_at

    assert read == moment
    assert read is not None
    assert read.tzinfo is UTC


@pytest.mark.usefixtures("use_tz")
def test_the_two_halves_past_one_of_autumn_stay_apart_and_in_order(machine: Any) -> None:
    for moment in (FIRST, FIRST + timedelta(hours=1)):
        factories.TokenFactory(client=machine.client)
        Token.objects.filter(not_before=None).update(not_before=moment)

    before = Token.objects.filter(not_before__lt=FIRST + timedelta(hours=1))

    assert [token.not_before for token in before] == [FIRST]
    assert Token.objects.aggregate(last=Max("not_before"))["last"] == FIRST + timedelta(hours=1)


@pytest.mark.usefixtures("use_tz")
@pytest.mark.parametrize(
    ("naive", "moment"),
    [
        (datetime(2026, 11, 1, 1, 30), FIRST),
        (datetime(2026, 11, 1, 1, 30, fold=1), FIRST + timedelta(hours=1)),
        (datetime(2026, 3, 8, 2, 30), datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
        ("2026-07-01 12:00", datetime(2026, 7, 1, 16, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_in_the_zone_of_the_project(naive: Any, moment: datetime) -> None:
    assert InstantField().to_python(naive) == moment


@pytest.mark.usefixtures("use_tz", "zone")
@pytest.mark.parametrize(
    "value",
    [
        FIRST.astimezone(ZoneInfo("America/New_York")),
        FIRST.astimezone(timezone(timedelta(hours=14))),
        FIRST.replace(microsecond=999_999),
        FIRST.isoformat(),
        "2026-11-01T01:30:00-04:00",
        int(FIRST.timestamp()),
    ],
)
def test_a_moment_may_be_written_in_many_ways(value: Any) -> None:
    assert InstantField().to_python(value) == FIRST
    assert InstantField().get_prep_value(value) == int(FIRST.timestamp())


@pytest.mark.parametrize("value", ["yesterday", "2026-13-01 00:00", "12345"])
def test_what_is_no_moment_is_a_validation_error(value: str) -> None:
    with pytest.raises(ValidationError):
        InstantField().to_python(value)


@pytest.mark.parametrize("value", [None, ""])
def test_no_moment_is_none(value: Any) -> None:
    assert InstantField().to_python(value) is None
    assert InstantField().get_prep_value(value) is None


def test_the_column_holds_seconds(secret: ClientSecret) -> None:
    ClientSecret.objects.update(expires_at=FIRST)
    with connection.cursor() as cursor:
        cursor.execute("SELECT expires_at FROM introspection_clientsecret")

        assert cursor.fetchone() == (int(FIRST.timestamp()),)


@pytest.mark.usefixtures("use_tz")
@pytest.mark.parametrize("form", ["json", "xml", "python"])
def test_rows_travel_through_a_fixture(user: Any, form: str) -> None:
    issued = factories.TokenFactory(user=user, not_before=FIRST)
    written = serializers.serialize(form, Token.objects.all())
    before = Token.objects.values().get()
    Token.objects.all().delete()

    for row in serializers.deserialize(form, written):
        row.save()

    assert Token.objects.values().get() == before
    assert issued.access_token not in str(written)


def test_a_form_reads_the_time_of_the_project_and_refuses_the_hour_that_comes_twice(secret: ClientSecret) -> None:
    form_class = forms.modelform_factory(ClientSecret, fields=["expires_at"])
    form = form_class({"expires_at_0": "2026-07-01", "expires_at_1": "12:00"}, instance=secret)
    twice = form_class({"expires_at_0": "2026-11-01", "expires_at_1": "01:30"}, instance=secret)

    assert form.save().expires_at == datetime(2026, 7, 1, 16, tzinfo=UTC)
    assert twice.errors.keys() == {"expires_at"}


@pytest.mark.usefixtures("use_tz", "zone")
def test_now_is_a_whole_second_of_utc(time_machine: Any) -> None:
    time_machine.move_to(FIRST + timedelta(milliseconds=999), tick=False)

    assert now() == FIRST
    assert now().tzinfo is UTC


def test_identifiers_are_of_version_7_and_come_in_the_order_of_their_making(time_machine: Any) -> None:
    made = []
    for step in range(50):
        time_machine.move_to(FIRST + timedelta(milliseconds=step, microseconds=500), tick=False)
        made.append(uuid7())

    assert {(each.version, each.variant) for each in made} == {(7, "specified in RFC 4122")}
    assert made == sorted(made)
    assert made[0].int >> 80 == int(FIRST.timestamp()) * 1000


def test_identifiers_of_one_millisecond_differ(time_machine: Any) -> None:
    time_machine.move_to(FIRST, tick=False)

    assert len({uuid7() for _ in range(500)}) == 500


@pytest.mark.parametrize(("vendor", "column"), [("mysql", "binary(32)"), ("oracle", "raw(32)")])
def test_a_digest_has_a_fixed_column_where_a_blob_has_no_index(vendor: str, column: str) -> None:
    field = Token._meta.get_field("digest")

    assert isinstance(field, DigestField)
    assert field.db_type(SimpleNamespace(vendor=vendor)) == column


def test_a_digest_comes_back_as_bytes_and_is_unique(machine: Any) -> None:
    issued = factories.TokenFactory(client=machine.client)
    digest = Token.objects.get().digest

    assert type(digest) is bytes
    assert digest == hashlib.sha256(issued.access_token.encode()).digest()
    with pytest.raises(IntegrityError), transaction.atomic():
        Token.objects.create(digest=digest, kind="access", client=machine.client, expires_at=now())
