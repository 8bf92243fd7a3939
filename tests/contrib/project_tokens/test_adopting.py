"""Tokens of authtoken that are copied into our table one by one: they work before, meanwhile and afterwards."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from rest_framework.authtoken.models import Token as Original

from django_introspection import introspect, revocations
from django_introspection.authorization_server.restoring import restore_all
from django_introspection.contrib import adopting, authtoken
from django_introspection.models import Token
from django_introspection.models.fields import now
from django_introspection.protocol.jwt import token_identity
from tests import endpoints, factories
from tests.settings import AUDIENCE

from .kinds import API_KEYS, AUTHTOKEN, KNOX

pytestmark = pytest.mark.django_db
RUN = ("adopt", "--from", "authtoken", "--scope", "orders:read", "--audience", AUDIENCE, "--lifetime", "365d")


@pytest.fixture
def legacy(db: None) -> str:
    """The identifier of the client that the tokens belong to."""
    return str(factories.RegistrationFactory(client_id="legacy", scope="orders:read").client.client_id)


@pytest.fixture
def keys(db: None) -> list[str]:
    return [Original.objects.create(user=factories.UserFactory()).key for _ in range(7)]


def command(*arguments: str) -> dict[str, int]:
    out = io.StringIO()
    call_command("introspection_token", *arguments, "--json", stdout=out)
    counts: dict[str, int] = json.loads(out.getvalue())
    return counts


def adopt() -> dict[str, int]:
    return command(*RUN, "--client", "legacy")


def works(key: str) -> bool:
    """Return whether the view of our authentication, and `introspect`, accept a value; both agree."""
    info = introspect(key)
    assert info is None or info.sub
    return info is not None


def test_a_token_works_before_meanwhile_and_afterwards(keys: list[str], legacy: str) -> None:
    assert all(map(works, keys))
    assert AUTHTOKEN.ask("before", keys[0]).status_code == 200

    assert adopt() == {"copied": 7, "known": 0}
    assert all(map(works, keys))
    assert AUTHTOKEN.ask("before", keys[0]).status_code == 200, "views of the other package go on as well"

    assert command("adopt", "--from", "authtoken", "--remove-originals") == {"removed": 7}
    assert all(map(works, keys))
    assert not Original.objects.exists()


def test_a_copy_says_what_the_command_said(keys: list[str], legacy: str) -> None:
    original = Original.objects.get(key=keys[0])

    adopt()

    members = endpoints.introspect(keys[0], auth=factories.ResourceServerFactory()).json()
    assert (members["sub"], members["scope"], members["aud"]) == (str(original.user.pk), "orders:read", [AUDIENCE])
    assert members["client_id"] == "legacy"
    assert members["iat"] == int(original.created.timestamp())
    assert abs(members["exp"] - now().timestamp() - 365 * 86400) < 60
    assert keys[0] not in str(Token.objects.values())


def test_a_second_run_copies_what_is_new(keys: list[str], legacy: str) -> None:
    adopt()
    new = Original.objects.create(user=factories.UserFactory()).key

    assert adopt() == {"copied": 1, "known": 7}
    assert works(new)
    assert command("adopt", "--from", "authtoken", "--remove-originals") == {"removed": 8}
    assert command("adopt", "--from", "authtoken", "--remove-originals") == {"removed": 0}


def test_only_originals_with_a_copy_are_removed(keys: list[str], legacy: str) -> None:
    adopt()
    new = Original.objects.create(user=factories.UserFactory()).key

    command("adopt", "--from", "authtoken", "--remove-originals")

    assert [original.key for original in Original.objects.all()] == [new]
    assert works(new)


@contextmanager
def dying_at(number: int) -> Iterator[None]:
    """Let the database go away at one of the following statements, as for a process that is killed there."""
    seen = 0

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen >= number:
            raise DatabaseError("killed")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        yield


def exit_code(number: int, arguments: tuple[str, ...]) -> int:
    try:
        with dying_at(number):
            command(*arguments)
    except CommandError as error:
        return error.returncode
    return 0


@pytest.mark.django_db(transaction=True)
def test_a_kill_at_any_statement_loses_no_token(keys: list[str], legacy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adopting, "BATCH", 2)
    steps = [(*RUN, "--client", "legacy"), ("adopt", "--from", "authtoken", "--remove-originals")]
    for arguments in steps:
        kills = 0
        for number in range(1, 60):
            if exit_code(number, arguments) == 0:
                break
            kills += 1
            assert all(map(works, keys)), f"killed at statement {number}"
        assert kills > 3
        assert all(map(works, keys))
    assert not Original.objects.exists()
    assert Token.objects.count() == 7


def test_who_deletes_the_original_ends_the_copy(keys: list[str], legacy: str) -> None:
    adopt()

    Original.objects.get(key=keys[0]).delete()

    assert not works(keys[0])
    assert {*Token.objects.exclude(revoked_at=None).values_list("revoked_by", flat=True)} == {authtoken.DELETED}
    assert works(keys[1])


def test_without_the_cache_the_copy_ends_in_the_table(
    keys: list[str], legacy: str, configured: Any, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    configured(REVOCATIONS={"ALIAS": "default"})
    adopt()
    settings.CACHES = {
        **settings.CACHES,
        "default": {"BACKEND": "tests.authorization_server.test_throttles.BrokenCache"},
    }

    Original.objects.get(key=keys[0]).delete()

    assert Token.objects.exclude(revoked_at=None).count() == 1
    assert "a revoked token stays in the caches" in caplog.text


def test_who_revokes_the_copy_ends_the_original_for_our_backends(keys: list[str], legacy: str) -> None:
    adopt()
    command("revoke", "--user", Original.objects.get(key=keys[0]).user.username)

    assert not works(keys[0])
    assert command("adopt", "--from", "authtoken", "--remove-originals") == {"removed": 7}
    assert not works(keys[0])


def test_a_token_that_is_deleted_while_it_is_copied_has_no_active_copy(
    keys: list[str], legacy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page was read before the deletion: only rows that are still there when they are locked are copied."""
    locked = adopting._locked

    def delete_first(page: Any) -> Any:
        Original.objects.filter(key=keys[0]).delete()
        return locked(page)

    monkeypatch.setattr(adopting, "_locked", delete_first)

    assert adopt() == {"copied": 6, "known": 0}
    assert not works(keys[0])


@pytest.mark.django_db(transaction=True)
def test_a_deletion_waits_for_the_copy_that_is_being_made_and_ends_it(
    keys: list[str], legacy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite has one writer at a time")
    begun, copies = threading.Event(), adopting._copies

    def delete() -> None:
        def wrapper(execute: Any, sql: str, *arguments: Any) -> Any:
            if sql.startswith("DELETE"):
                begun.set()
            return execute(sql, *arguments)

        try:
            with connection.execute_wrapper(wrapper):
                Original.objects.get(key=keys[0]).delete()
        finally:
            connection.close()

    thread = threading.Thread(target=delete)

    def delete_while_locked(digests: Any) -> set[bytes]:
        thread.start()
        assert begun.wait(10)
        return copies(digests)

    monkeypatch.setattr(adopting, "_copies", delete_while_locked)
    assert adopt() == {"copied": 7, "known": 0}
    thread.join(10)

    assert not thread.is_alive()
    assert not works(keys[0])
    assert works(keys[1])


def test_removing_originals_writes_no_tombstone(keys: list[str], legacy: str, configured: Any) -> None:
    configured(REVOCATIONS={"ALIAS": "default"})
    restore_all()
    adopt()

    command("adopt", "--from", "authtoken", "--remove-originals")

    assert not any(revocations.is_revoked(token_identity(key)) for key in keys)


def test_the_token_of_a_disabled_user_stays_inactive(keys: list[str], legacy: str) -> None:
    get_user_model().objects.update(is_active=False)

    adopt()

    assert not any(map(works, keys))


@pytest.mark.parametrize(("kind", "source"), [(KNOX, "knox"), (API_KEYS, "api-keys")], ids=str)
def test_what_cannot_be_copied_is_refused_plainly(kind: Any, source: str, ada: Any) -> None:
    token = kind.make(ada)

    with pytest.raises(CommandError, match="cannot be copied: it stores SHA-512 digests"):
        command("adopt", "--from", source, "--client", "x", "--lifetime", "1d")
    assert introspect(token)


@pytest.mark.parametrize("missing", ["--client", "--lifetime"])
def test_client_and_lifetime_are_required(missing: str, legacy: str) -> None:
    given = {"--client": "legacy", "--lifetime": "1d"}
    arguments = [part for name, value in given.items() if name != missing for part in (name, value)]

    with pytest.raises(CommandError, match="--client and --lifetime are required"):
        command("adopt", "--from", "authtoken", *arguments)


@pytest.mark.parametrize("wrong", [{"scope": 'a"'}, {"audience": ["orders"]}])
def test_a_malformed_scope_or_audience_copies_nothing(wrong: Any, keys: list[str], legacy: str) -> None:
    client = factories.RegistrationFactory().client
    good = {"scope": "orders:read", "audience": [AUDIENCE], "lifetime": timedelta(days=1)}

    with pytest.raises(ValidationError):
        adopting.adopt(client=client, **(good | wrong))
    assert not Token.objects.exists()
