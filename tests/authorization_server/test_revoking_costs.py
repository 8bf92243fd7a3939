"""What ending tokens costs: statements, and calls to the cache, those after the commit included."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_introspection import revocations
from django_introspection.authorization_server import revoking
from django_introspection.authorization_server.restoring import restore_if_needed
from django_introspection.authorization_server.revoking import revoke_client_tokens
from django_introspection.models import Client
from tests import caches as test_caches
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Client:
    """A client with five tokens, which are ended two at a time; the calls to the cache are counted."""
    monkeypatch.setattr(revoking, "BATCH", 2)
    client: Client = factories.RegistrationFactory().client
    for _ in range(5):
        factories.TokenFactory(client=client)
    settings.CACHES = {"default": {**test_caches.counting(), "KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"]}}
    return client


def statements(client: Client) -> list[str]:
    """Revoke, and return the verbs of the statements, LOCK if one locks rows that it reads."""
    with CaptureQueriesContext(connection) as captured:
        assert revoke_client_tokens(client, by=None) == 5
    sqls = [query["sql"] for query in captured.captured_queries]
    return ["LOCK" if "FOR UPDATE" in sql else sql.lstrip("(").split()[0] for sql in sqls]


def test_without_revocations_nothing_is_read_again_after_the_commit(client: Client) -> None:
    verbs = statements(client)

    assert (verbs.count("SELECT"), verbs.count("UPDATE")) == (4, 3)
    assert verbs.count("LOCK") == (2 if connection.features.has_select_for_update else 0), "one token needs no order"
    assert test_caches.CALLS == []


def test_with_revocations_each_page_is_written_twice_and_read_once_more(client: Client, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    revocations.set_markers()
    restore_if_needed()
    test_caches.CALLS.clear()

    verbs = statements(client)

    assert (verbs.count("SELECT"), verbs.count("UPDATE")) == (8, 3)
    assert test_caches.CALLS == ["set_many"] * 6
