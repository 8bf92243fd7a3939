"""The last use of a personal token: stored seldom, in batches, after the answer, and never at its cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from django_introspection import introspect
from django_introspection.authorization_server.answering import answer_for_caller
from django_introspection.backends.inspecting import inspecting
from django_introspection.models import Client, Token
from django_introspection.personal_tokens import issuing, last_use
from django_introspection.personal_tokens.last_use import LastUses, last_uses, write_last_uses
from django_introspection.personal_tokens.models import PersonalToken
from django_introspection.resource_server.inspection import inspect_token
from tests import endpoints, factories, tenants
from tests.personal_tokens.conftest import make

pytestmark = pytest.mark.django_db
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def stored(issued: Any) -> Any:
    moment = PersonalToken.objects.get(pk=issued.row.pk).last_used_at
    return None if moment is None else (moment - NOW).total_seconds()


def statements_of(work: Any) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        work()
    return [statement["sql"] for statement in captured.captured_queries]


def test_both_sides_count_as_use(clock: Any, user: Any, resource_server: Any) -> None:
    asked_about, shown = make(user), make(user)
    endpoints.introspect(asked_about.value, auth=resource_server)
    assert introspect(shown.value) is not None
    write_last_uses()

    assert (stored(asked_about), stored(shown)) == (0, 0)


def test_a_use_is_stored_once_in_five_minutes(clock: Any, user: Any) -> None:
    issued = make(user)
    writes = []
    for seconds in (0, 10, 299, 300, 301, 599, 600):
        clock.move_to(NOW.timestamp() + seconds)
        introspect(issued.value)
        writes.append((len(statements_of(write_last_uses)), stored(issued)))

    assert writes == [(1, 0), (0, 0), (0, 0), (1, 300), (0, 300), (0, 300), (1, 600)]


def test_several_processes_store_it_once_in_five_minutes(clock: Any, user: Any) -> None:
    issued = make(user)
    one, two = LastUses(), LastUses()
    for process, seconds in ((one, 0), (two, 10), (one, 300), (two, 310)):
        clock.move_to(NOW.timestamp() + seconds)
        process.note(str(issued.row.pk))
        process.write()
        assert stored(issued) == seconds // 300 * 300


def test_a_process_that_waited_long_does_not_set_the_time_back(clock: Any, user: Any) -> None:
    issued, other = make(user), make(user)
    idle, busy = LastUses(), LastUses()
    idle.note(str(issued.row.pk))
    clock.move_to(NOW.timestamp() + 9000)
    busy.note(str(issued.row.pk))
    busy.write()
    idle.note(str(other.row.pk))
    idle.write()

    assert (stored(issued), stored(other)) == (9000, 9000)


def test_a_batch_is_one_statement(clock: Any, user: Any, django_assert_num_queries: Any) -> None:
    issued = [make(user) for _ in range(4)]
    for number, each in enumerate(issued):
        clock.move_to(NOW.timestamp() + number)
        introspect(each.value)

    with django_assert_num_queries(1):
        write_last_uses()
    assert [stored(each) for each in issued] == [0, 1, 2, 3]


def test_a_request_writes_after_its_answer_and_not_each_one_does(user: Any, resource_server: Any) -> None:
    issued = [make(user) for _ in range(3)]

    def ask(number: int) -> list[str]:
        return [
            sql
            for sql in statements_of(lambda: endpoints.introspect(issued[number].value, auth=resource_server))
            if "UPDATE" in sql and "personal" in sql
        ]

    assert [len(ask(number)) for number in (0, 1, 2, 0)] == [1, 0, 0, 0]
    last_uses._next_batch = 0.0
    assert len(ask(0)) == 1
    assert not PersonalToken.objects.filter(last_used_at=None).exists()


def test_a_full_batch_does_not_wait(user: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(last_use, "BATCH", 2)
    uses, issued = LastUses(), [make(user) for _ in range(3)]
    uses.note(str(issued[0].row.pk))
    uses.write_if_due()
    uses.note(str(issued[1].row.pk))
    assert statements_of(uses.write_if_due) == []
    uses.note(str(issued[2].row.pk))

    assert len(statements_of(uses.write_if_due)) == 1


def test_the_memory_of_a_process_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(last_use, "MOST", 20)
    uses = LastUses()
    for number in range(50):
        uses.note(f"{number}")

    assert len(uses._waiting) == 2
    assert len(uses._noted) <= 20


def test_a_database_that_does_not_answer_fails_nothing(user: Any, monkeypatch: Any, caplog: Any) -> None:
    issued = make(user)
    store = last_use._store

    def fail(batch: Any) -> None:
        raise DatabaseError("password of the database")

    monkeypatch.setattr(last_use, "_store", fail)
    introspect(issued.value)
    write_last_uses()
    assert "the last use of personal tokens was not stored: DatabaseError" in caplog.text
    assert "password" not in caplog.text
    assert PersonalToken.objects.get().last_used_at is None

    monkeypatch.setattr(last_use, "_store", store)
    introspect(issued.value)
    write_last_uses()
    assert PersonalToken.objects.get().last_used_at is not None


@pytest.mark.parametrize("way", ["another token", "revoked", "an operator", "an operator about a caller"])
def test_what_is_no_use_is_not_stored(user: Any, resource_server: Any, way: str) -> None:
    issued = make(user, networks=["192.0.2.0/24"])
    match way:
        case "another token":
            introspect(factories.TokenFactory(user=user).access_token)
        case "revoked":
            issuing.revoke(issued.row, by="")
            introspect(issued.value, address="192.0.2.1")
        case "an operator":
            assert inspect_token(make(user).value, "default", trace=[])
        case "an operator about a caller":
            with inspecting():
                assert answer_for_caller(make(user).value, resource_server.client).full

    assert statements_of(write_last_uses) == []


def test_a_use_is_stored_in_the_database_of_its_tenant(
    clock: Any, user: Any, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.DATABASE_ROUTERS = [tenants.ROUTER]
    with tenants.database_of_other_tenant(get_user_model(), Client, Token, PersonalToken):
        here = make(user)
        with tenants.tenant():
            there = make(factories.UserFactory())
            introspect(there.value)
        introspect(here.value)
        with django_assert_num_queries(1):
            write_last_uses()  # after the answers, by a thread that knows no tenant

        with tenants.tenant():
            assert stored(there) == 0
        assert stored(here) == 0
