"""Look-ups that are compiled once find what the ORM finds, in one statement."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from django_introspection.models import ClientSecret, Token
from django_introspection.models.lookups import KeptLookup, secrets_by_client, tokens_by_digest
from django_introspection.models.row_shapes import Instances
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def machine() -> Any:
    return factories.RegistrationFactory(resources=["https://api.example.com"], visible_members=["sub"])


def columns(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def issue(machine: Any, **grant: Any) -> tuple[Token, bytes]:
    token = Token.objects.issue(client=machine.client, scope="a b", audience=["https://api.example.com"], **grant).token
    return token, bytes(token.digest)


@pytest.mark.parametrize("has_user", [False, True])
def test_a_token_is_found_with_its_client_and_user_in_one_statement(
    machine: Any, has_user: bool, django_assert_num_queries: Any
) -> None:
    user = get_user_model().objects.create_user("ada", email="ada@example.com") if has_user else None
    token, digest = issue(machine, user=user, members={"acr": "2"})
    tokens_by_digest().get(digest)

    with django_assert_num_queries(1):
        found = tokens_by_digest().get(digest)
        assert found is not None
        assert found.client.client_id == machine.client.client_id
        assert found.inactive_reason(found.issued_at) is None
        assert found.user == user
        assert columns(found.user) == columns(user) if user else found.user is None

    assert columns(found) == columns(Token.objects.get(pk=token.pk))
    assert columns(found.client) == columns(machine.client)


def test_a_secret_is_found_with_its_client_in_one_statement(machine: Any, django_assert_num_queries: Any) -> None:
    stored = ClientSecret.objects.get()
    secrets_by_client().get(machine.client.client_id, bytes(stored.digest), b"\x01" * 32)

    with django_assert_num_queries(1):
        found = secrets_by_client().get(machine.client.client_id, b"\x01" * 32, bytes(stored.digest))
        assert found is not None
        assert found.client.resources == ["https://api.example.com"]
        assert found.client.visible_members == ["sub"]

    assert columns(found) == columns(stored)
    assert columns(found.client) == columns(machine.client)


def test_only_the_row_with_all_the_values_is_found(machine: Any, django_assert_num_queries: Any) -> None:
    other = factories.RegistrationFactory()
    digest = bytes(ClientSecret.objects.get(client=machine.client).digest)

    with django_assert_num_queries(3):
        assert secrets_by_client().get(other.client.client_id, digest, digest) is None
        assert secrets_by_client().get(machine.client.client_id, b"\x01" * 32, b"\x01" * 32) is None
        assert tokens_by_digest().get(b"\0" * 32) is None


def test_a_change_is_seen_at_once(machine: Any) -> None:
    _, digest = issue(machine)
    assert tokens_by_digest().get(digest)

    type(machine.client).objects.update(is_active=False)

    found = tokens_by_digest().get(digest)
    assert found is not None
    assert not found.client.is_active


@pytest.mark.django_db(transaction=True)
def test_no_connection_of_a_thread_is_kept_when_the_thread_has_ended(machine: Any) -> None:
    _, digest = issue(machine)
    lookup = KeptLookup(Token, {"digest": b"\0" * 32}, Instances(Token, {"client": None, "user": None}))
    kept = []

    def find() -> None:
        assert lookup.get(digest)
        kept.append(weakref.ref(connections["default"]))
        connections["default"].connection.close()  # Django leaves a database in memory open
        connections["default"].connection = None

    thread = threading.Thread(target=find)
    thread.start()
    thread.join()
    gc.collect()

    assert [reference() for reference in kept] == [None]
    assert lookup.get(digest)
