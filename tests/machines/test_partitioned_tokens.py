"""The table of tokens after the recipe of the documentation: each look-up reads one part, and everything goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from django_introspection.authorization_server import purging
from django_introspection.models import Token
from tests import endpoints, factories
from tests.scale.rows import fill
from tests.scale.test_admin_scale import nodes, plans

from . import documented

pytestmark = pytest.mark.django_db
ROWS = int(os.environ.get("ROWS", "200_000"))


@pytest.fixture(autouse=True)
def partitioned(db: None) -> None:
    """Rows that were there before, and the recipe, in the transaction of the test."""
    if connection.vendor != "postgresql":
        pytest.exit("the recipe is for PostgreSQL: set DATABASE_URL")
    fill(ROWS)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # the rows were made in this transaction
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(documented.block("postgresql", "partition.sql"))


def parts(captured: CaptureQueriesContext) -> Iterator[set[str]]:
    """Yield the parts of the table that each statement reads."""
    for plan in plans(captured):
        names = {str(node.get("Relation Name", "")) for node in nodes(plan)}
        yield {name for name in names if name.startswith("introspection_token_")}


def test_everything_works_and_a_look_up_reads_one_part() -> None:
    assert Token.objects.count() == ROWS
    caller = factories.ResourceServerFactory(introspection_policy="any")
    with CaptureQueriesContext(connection) as captured:
        assert endpoints.introspect(str(ROWS - 1), auth=caller).status_code == 200
    assert [len(each) for each in parts(captured)] == [1]

    machine = factories.RegistrationFactory(grant_types=["client_credentials", "refresh_token"])
    user = factories.UserFactory()
    issued = factories.TokenFactory(client=machine.client, user=user, refresh=True)
    assert is_active(issued.access_token, caller)
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    refreshed = endpoints.post("/oauth/token", form, auth=machine).json()
    assert is_active(refreshed["access_token"], caller)
    assert endpoints.post("/oauth/token", form, auth=machine).status_code == 400, "it was used"
    assert not is_active(refreshed["access_token"], caller)

    other = factories.TokenFactory(client=machine.client, user=user)
    assert endpoints.post("/oauth/revoke", {"token": other.access_token}, auth=machine).status_code == 200
    assert not is_active(other.access_token, caller)

    first = next(purging.purge(purging.expired(Token, datetime.now(UTC))))
    assert first == purging.BATCH
    Token.objects.filter(pk=other.token.pk).delete()
    user.delete()
    assert not is_active(issued.access_token, caller)
    assert_pages_use_indexes()


def is_active(token: str, caller: Any) -> bool:
    active: bool = endpoints.introspect(token, auth=caller).json()["active"]
    return active


def assert_pages_use_indexes() -> None:
    browser = Browser()
    browser.force_login(factories.User.objects.create_superuser("root", password="x"))
    for page in ("", "?state=revoked", "?client=client-1", "overview/"):
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(f"/admin/introspection/token/{page}").status_code == 200
        for plan in plans(captured):
            assert not [node for node in nodes(plan) if node["Node Type"] == "Seq Scan" and is_part(node)], plan


def is_part(node: dict[str, Any]) -> bool:
    return str(node.get("Relation Name", "")).startswith("introspection_token_")
