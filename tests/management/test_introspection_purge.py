from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_introspection.models import ClientSecret, Token
from django_introspection.models.fields import now
from tests import endpoints, factories
from tests.authorization_server.helpers import sqlite_only

DAY = timedelta(days=1)


def purge(*arguments: str) -> Any:
    out = io.StringIO()
    call_command("introspection_purge", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def expire(token: Any, ago: timedelta = timedelta()) -> None:
    Token.objects.filter(pk=token.pk).update(expires_at=now() - timedelta(seconds=1) - ago)


@pytest.fixture
def expired(machine: Any) -> list[Any]:
    """Ten tokens that expired today, yesterday and so on."""
    tokens = [factories.TokenFactory(client=machine.client).token for _ in range(10)]
    for days, token in enumerate(tokens):
        expire(token, days * DAY)
    return tokens


def test_expired_tokens_go_and_live_ones_stay(machine: Any, expired: list[Any]) -> None:
    live = factories.TokenFactory(client=machine.client, refresh=True)

    assert purge() == {"tokens": 10, "complete": True}
    assert purge() == {"tokens": 0, "complete": True}
    assert endpoints.introspect(live.access_token, auth=machine).json()["active"] is True
    assert Token.objects.count() == 2


def test_only_what_expired_long_enough_ago_goes(expired: list[Any]) -> None:
    assert purge("--older-than", "7d") == {"tokens": 3, "complete": True}
    assert set(Token.objects.all()) == set(expired[:7])


def test_tokens_of_one_second_are_all_deleted_although_a_batch_ends_among_them(expired: list[Any]) -> None:
    Token.objects.update(expires_at=now() - DAY)

    assert purge("--batch", "3") == {"tokens": 10, "complete": True}


def test_a_dry_run_counts_and_deletes_nothing(expired: list[Any], machine: Any) -> None:
    machine.client.secrets.create(digest=b"e" * 32, hint="gone", expires_at=now() - 8 * DAY)

    assert purge("--older-than", "7d", "--client-secrets", "--dry-run") == {
        "tokens": 3,
        "client_secrets": 1,
        "complete": False,
    }
    assert (Token.objects.count(), machine.client.secrets.count()) == (10, 2)


def test_a_used_refresh_token_shows_a_theft_until_it_expires_itself(machine: Any) -> None:
    machine.client.grant_types += ["refresh_token"]
    machine.client.save()
    issued = factories.TokenFactory(client=machine.client, refresh=True)
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    answer = endpoints.post("/oauth/token", form, auth=machine).json()
    Token.objects.filter(kind="access").update(expires_at=now() - DAY)

    assert purge() == {"tokens": 2, "complete": True}
    assert endpoints.post("/oauth/token", form, auth=machine).status_code == 400
    assert endpoints.introspect(answer["refresh_token"], auth=machine).json() == {"active": False}


def test_the_successor_of_a_purged_refresh_token_lives_on(machine: Any) -> None:
    machine.client.grant_types += ["refresh_token"]
    machine.client.save()
    issued = factories.TokenFactory(client=machine.client, refresh=True)
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    form["refresh_token"] = endpoints.post("/oauth/token", form, auth=machine).json()["refresh_token"]
    Token.objects.exclude(rotated_at=None).update(expires_at=now() - DAY)

    assert purge() == {"tokens": 1, "complete": True}
    assert endpoints.post("/oauth/token", form, auth=machine).status_code == 200


def test_expired_secrets_go_only_where_that_is_asked(machine: Any) -> None:
    machine.client.secrets.create(digest=b"e" * 32, hint="gone", expires_at=now() - DAY)
    machine.client.secrets.create(digest=b"f" * 32, hint="soon", expires_at=now() + DAY)

    assert purge() == {"tokens": 0, "complete": True}
    assert ClientSecret.objects.count() == 3
    assert purge("--client-secrets") == {"tokens": 0, "client_secrets": 1, "complete": True}
    assert set(ClientSecret.objects.values_list("hint", flat=True)) == {machine.secret[-4:], "soon"}


def statements(batch: int) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert purge("--batch", str(batch))["complete"] is True
    of_tokens = [query["sql"] for query in captured.captured_queries]
    return [sql for sql in of_tokens if "introspection_personal_tokens" not in sql]  # an app beside this one


@pytest.mark.parametrize(("batch", "batches"), [(10, 1), (5, 2), (4, 3), (1, 10)])
def test_the_statements_are_those_of_the_batches(expired: list[Any], batch: int, batches: int) -> None:
    done = statements(batch)

    deletes = [sql for sql in done if sql.startswith("DELETE")]
    locks = [sql for sql in done if "FOR UPDATE" in sql]
    looks = [sql for sql in done if sql.startswith("SELECT") and "LIMIT" in sql and sql not in locks]
    savepoints = [sql for sql in done if "SAVEPOINT" in sql]
    assert (len(deletes), len(looks)) == (batches, batches + 1)
    assert len(locks) == (batches if connection.features.has_select_for_update else 0)
    assert len(done) - len(savepoints) - len(locks) <= 4 * batches + 1
    assert all(f"LIMIT {batch}" in sql for sql in looks)


@sqlite_only
def test_every_statement_finds_its_rows_by_an_index(expired: list[Any]) -> None:
    searching = [sql for sql in statements(4) if sql.startswith(("SELECT", "UPDATE", "DELETE"))]

    with connection.cursor() as cursor:
        plans = {}
        for sql in searching:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plans[sql] = "; ".join(row[3] for row in cursor.fetchall())
    assert len(searching) == 7
    assert not [(sql, plan) for sql, plan in plans.items() if "SCAN" in plan or "TEMP B-TREE" in plan]


def test_no_batch_begins_after_the_time_is_over(expired: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(100))
    monkeypatch.setattr("time.monotonic", lambda: float(next(seconds)))

    assert purge("--batch", "1", "--max-seconds", "3") == {"tokens": 3, "complete": False}
    assert purge() == {"tokens": 7, "complete": True}
