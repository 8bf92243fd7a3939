"""Tokens of this project's own database: one statement, for views sync and async."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.models import Token
from django_introspection.protocol import opaque
from django_introspection.protocol.answer import Inactive, Reason
from tests import factories
from tests.authorization_server.helpers import without_table
from tests.settings import AUDIENCE, ISSUER

pytestmark = pytest.mark.django_db


def test_every_member_of_an_answer() -> None:
    user = factories.UserFactory(username="anna")
    issued = factories.TokenFactory(user=user, scope="orders:read", members={"acr": "high"})
    row = issued.token

    info = introspect(issued.access_token)

    assert info is not None
    assert info.to_dict() == {
        "active": True,
        "acr": "high",
        "scope": "orders:read",
        "client_id": row.client.client_id,
        "username": "anna",
        "token_type": "Bearer",
        "exp": int(row.expires_at.timestamp()),
        "iat": int(row.issued_at.timestamp()),
        "sub": str(user.pk),
        "aud": [AUDIENCE],
        "iss": ISSUER,
        "jti": str(row.pk),
    }


def test_asking_asynchronously_gives_the_same() -> None:
    issued = factories.TokenFactory()

    assert async_to_sync(aintrospect)(issued.access_token) == introspect(issued.access_token)
    assert async_to_sync(aintrospect)("unknown") is None


@pytest.mark.parametrize("refresh", [False, True], ids=["access token", "refresh token"])
def test_the_kind_decides_whether_a_resource_server_takes_it(refresh: bool) -> None:
    issued = factories.TokenFactory(refresh=True)
    value = issued.refresh_token if refresh else issued.access_token

    assert (introspect(value) is None) is refresh


@pytest.mark.parametrize("token", ["", "dit_at_", "dit_at_" + "0" * 49, "nul\0byte", "line\nbreak", "\ud800"])
def test_what_cannot_be_a_token_is_malformed_and_costs_nothing(token: str, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = token_backends["default"].introspect(token)

    assert answer == Inactive(Reason.MALFORMED)


def test_a_value_that_may_be_a_token_costs_one_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        answer = token_backends["default"].introspect(opaque.generate(opaque.ACCESS_TOKEN))

    assert answer == Inactive(Reason.UNKNOWN)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_answer_is_not_an_inactive_token() -> None:
    token = factories.TokenFactory().access_token

    with without_table(Token), pytest.raises(IntrospectionUnavailable) as raised:
        introspect(token)

    assert token not in str(raised.value)


def test_the_audience_is_optional_for_tokens_of_ones_own(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"ISSUER": ISSUER}

    assert introspect(factories.TokenFactory(audience=[]).access_token)
