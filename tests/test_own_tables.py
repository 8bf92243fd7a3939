"""Databases in which a table of this package is apart from one that it refers to."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import checks
from django.db.models import Model
from django.test import override_settings

from django_introspection import introspect
from django_introspection.check_messages import TAG
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.models import Token
from django_introspection.own_tables import own_models, related_models
from tests import factories
from tests.authorization_server.helpers import without_table


class TokensElsewhere:
    """Keep the tables of this package in another database than the users."""

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        return "other" if model._meta.app_label.startswith("introspection") else None


class PersonalTokensElsewhere:
    """Keep the personal tokens in another database than all other tokens."""

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        return "other" if model._meta.app_label == "introspection_personal_tokens" else None


class EverythingElsewhere:
    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        return "other"


def found(router: type) -> list[tuple[str, str]]:
    with override_settings(DATABASE_ROUTERS=[f"{__name__}.{router.__name__}"]):
        messages = [each for each in checks.run_checks(tags=[TAG]) if each.id == f"{TAG}.E031"]
    assert all(each.level == checks.ERROR for each in messages)
    return [(each.obj, each.msg) for each in messages]


def test_tokens_and_users_in_two_databases_are_an_error() -> None:
    text = "Its table is in the database 'other', and the table of auth.User in 'default'."

    assert found(TokensElsewhere) == [
        ("introspection.Token", text),
        ("introspection_personal_tokens.PersonalToken", text),
    ]


def test_an_app_of_ours_in_another_database_than_the_first_is_an_error() -> None:
    assert {place for place, _ in found(PersonalTokensElsewhere)} == {"introspection_personal_tokens.PersonalToken"}


def test_everything_in_one_database_is_accepted() -> None:
    assert found(EverythingElsewhere) == []


def test_the_models_of_this_package_and_those_that_they_refer_to_are_known() -> None:
    labels = {model._meta.label for model in own_models()}
    tokens = {model._meta.label for model in related_models(Token)}

    assert {"introspection.Token", "introspection_personal_tokens.PersonalToken"} <= labels
    assert tokens == {"introspection.Client", "introspection.Token", get_user_model()._meta.label}


@pytest.mark.django_db(transaction=True)
def test_a_token_that_cannot_be_read_names_the_kind_of_error() -> None:
    token = factories.TokenFactory(user=None)
    with without_table(Token), pytest.raises(IntrospectionUnavailable) as raised:
        introspect(token.access_token)

    assert str(raised.value).startswith("the database does not answer: ")
    assert str(raised.value).endswith("Error")
