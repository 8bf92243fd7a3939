from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, models

from django_introspection.models import Client, ClientSecret, Token
from django_introspection.models.fields import InstantField
from tests.authorization_server.helpers import sqlite_only


def _indexed(model: type[models.Model]) -> set[tuple[str, ...]]:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, model._meta.db_table)
    return {
        tuple(each["columns"])
        for each in constraints.values()
        if each["index"] or each["unique"] or each["primary_key"]
    }


@pytest.mark.django_db
def test_the_migrations_have_every_change_of_the_models() -> None:
    call_command("makemigrations", "introspection", check=True, dry_run=True, stdout=StringIO())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (Client, ("client_id",)),
        (ClientSecret, ("client_id", "digest")),
        (ClientSecret, ("digest",)),
        (Token, ("digest",)),
        (Token, ("grant_id",)),
        (Token, ("client_id", "id")),
        (Token, ("issued_at", "client_id")),
        (Token, ("expires_at", "client_id")),
        (Token, ("revoked_at", "client_id")),
        (Token, ("not_before",)),
        (Token, ("user_id", "id")),
    ],
)
def test_what_is_searched_for_has_an_index(model: type[models.Model], columns: tuple[str, ...]) -> None:
    assert columns in _indexed(model)


@sqlite_only
@pytest.mark.django_db
def test_a_purge_of_expired_tokens_uses_the_index() -> None:
    plan = Token.objects.filter(expires_at__lt=datetime(2026, 1, 1, tzinfo=UTC)).explain()

    assert "USING INDEX introspection_token_expires_at" in plan


@pytest.mark.parametrize("model", [Client, ClientSecret, Token])
def test_no_moment_depends_on_the_time_settings_of_the_project(model: type[models.Model]) -> None:
    moments = [field for field in model._meta.get_fields() if field.name.endswith(("_at", "_before"))]

    assert moments
    assert all(isinstance(field, InstantField) for field in moments)


@pytest.mark.parametrize("model", [Client, ClientSecret, Token])
def test_no_column_is_made_for_a_value_in_the_clear(model: type[models.Model]) -> None:
    names = {field.name for field in model._meta.fields}

    assert not names & {"token", "access_token", "refresh_token", "client_secret", "secret", "value"}
