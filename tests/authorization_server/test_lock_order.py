"""Transactions that write the same tokens: one waits for the other, and no two wait for each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models.signals import pre_delete
from django.test.utils import CaptureQueriesContext

from django_introspection.authorization_server import ending, purging, rotation, token_exchange
from django_introspection.authorization_server.revoking import revoke_grant, revoke_tokens
from django_introspection.models import Client, GrantType, Token, TokenKind
from django_introspection.models.fields import now
from django_introspection.models.locking import lock_in_order
from django_introspection.personal_tokens import issuing
from django_introspection.personal_tokens.models import PersonalToken
from tests import endpoints, factories
from tests.authorization_server.racing import in_threads
from tests.personal_tokens.conftest import configure, make
from tests.settings import AUDIENCE

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one transaction write at a time"),
]
WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx JOIN information_schema.processlist"
    " ON id = trx_mysql_thread_id WHERE trx_state = 'LOCK WAIT' AND db = database()",
}
"""How many transactions wait in this database: other processes test in others of the same server."""
LONG = 60
"""Seconds after which a test fails."""


def until_waiting(number: int) -> None:
    """Wait until so many transactions wait for the lock of another one."""
    end = time.monotonic() + LONG
    while True:
        with connection.cursor() as cursor:
            cursor.execute(WAITING[connection.vendor])
            if cursor.fetchone()[0] >= number:
                return
        assert time.monotonic() < end
        time.sleep(0.2)  # MariaDB collects the list anew for one who did not read it for a tenth of a second


def let_go(holds: threading.Event, may_go: threading.Event, *, waiting: int) -> None:
    """Let a transaction that holds locks go on when so many others wait."""
    assert holds.wait(LONG)
    try:
        until_waiting(waiting)
    finally:
        may_go.set()


@contextmanager
def held_before_deletion() -> Iterator[tuple[threading.Event, threading.Event]]:
    """Stop the deletion of a client after its tokens were ended, and before its rows are deleted."""
    has_ended, may_delete = threading.Event(), threading.Event()

    def wait(**_: Any) -> None:
        has_ended.set()
        assert may_delete.wait(LONG)

    pre_delete.connect(wait, sender=Client)
    try:
        yield has_ended, may_delete
    finally:
        pre_delete.disconnect(wait, sender=Client)


def delete_meanwhile(client: Client, meanwhile: Callable[[], Any]) -> None:
    """Delete a client, and begin something else while its tokens are ended and not deleted yet."""
    with held_before_deletion() as (has_ended, may_delete):

        def begin() -> None:
            assert has_ended.wait(LONG)
            meanwhile()

        in_threads([client.delete, begin, lambda: let_go(has_ended, may_delete, waiting=1)])


def queue_behind(token: Token, first: Callable[[], Any], second: Callable[[], Any]) -> None:
    """Lock a token, and let it go when `first` waits for it and `second` waits as well."""
    holds, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            lock_in_order(Token.objects.filter(pk=token.pk))
            holds.set()
            assert may_go.wait(LONG)

    def begin_first() -> None:
        assert holds.wait(LONG)
        first()

    def begin_second() -> None:
        assert holds.wait(LONG)
        until_waiting(1)
        second()

    in_threads([hold, begin_first, begin_second, lambda: let_go(holds, may_go, waiting=2)])


@pytest.mark.parametrize("what", ["a grant", "two access tokens"])
def test_a_client_is_deleted_while_its_tokens_are_revoked(what: str) -> None:
    issued = factories.TokenFactory(refresh=True, user=factories.UserFactory())
    client = issued.token.client
    others = [factories.TokenFactory(client=client).token for _ in range(2)]

    if what == "a grant":
        delete_meanwhile(client, lambda: revoke_grant(issued.token.grant_id, by=None))
    else:
        delete_meanwhile(client, lambda: revoke_tokens(others, by=None))

    assert not Client.objects.filter(pk=client.pk).exists()
    assert not Token.objects.exists()


@pytest.mark.parametrize("first", ["purge", "revoke"])
def test_a_grant_is_revoked_while_its_expired_tokens_are_purged(first: str) -> None:
    issued = factories.TokenFactory(refresh=True, user=factories.UserFactory())
    Token.objects.update(expires_at=now() - timedelta(days=1))
    works: dict[str, Callable[[], Any]] = {
        "purge": lambda: list(purging.purge(purging.expired(Token, now()))),
        "revoke": lambda: revoke_grant(issued.token.grant_id, by=None),
    }
    second = works["revoke" if first == "purge" else "purge"]
    queue_behind(Token.objects.get(kind=TokenKind.REFRESH), works[first], second)

    assert not Token.objects.exists()


def test_a_grant_is_revoked_while_a_lost_answer_is_replaced(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REFRESH_GRACE": 600}
    holder = factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN])
    has_lower_access_token = False
    while not has_lower_access_token:  # keys of the same millisecond have no order
        issued = factories.TokenFactory(client=holder.client, user=factories.UserFactory(), refresh=True)
        form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
        assert endpoints.post("/oauth/token", form, auth=holder).status_code == 200
        answer = Token.objects.filter(predecessor__grant_id=issued.token.grant_id)
        successor = answer.get(kind=TokenKind.REFRESH)
        has_lower_access_token = answer.get(kind=TokenKind.ACCESS).pk < successor.pk

    def repeat() -> None:
        assert endpoints.post("/oauth/token", form, auth=holder).status_code == 200

    queue_behind(successor, repeat, lambda: revoke_grant(issued.token.grant_id, by=None))

    assert not Token.objects.filter(grant_id=issued.token.grant_id, revoked_at=None).exists()


@pytest.mark.parametrize("first", ["delete", "rotate"])
def test_a_user_is_deleted_while_a_personal_token_is_rotated(first: str, settings: Any) -> None:
    configure(settings)
    user = factories.UserFactory()
    issued = make(user)

    def rotate() -> None:
        row = PersonalToken.objects.of(user).get(pk=issued.row.pk)
        with suppress(ValidationError) if first == "delete" else nullcontext():
            issuing.rotate(row)

    works = {"delete": factories.User.objects.get(pk=user.pk).delete, "rotate": rotate}
    second = works["rotate" if first == "delete" else "delete"]
    queue_behind(issued.row.token, works[first], second)

    assert not factories.User.objects.exists()
    assert not Token.objects.exists()


def test_keys_are_locked_in_their_order_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_introspection.models.locking.BATCH", 2)
    for _ in range(5):
        factories.TokenFactory()

    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        lock_in_order(Token.objects.all())
        lock_in_order(Token.objects.none())

    assert [query["sql"].count("FOR UPDATE") for query in captured.captured_queries] == [1] * 3


class Pause:
    """Stop one call of a function: before it, a thread `arrived`, and goes on when it is `let_go`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.arrived, self.let_go = threading.Event(), threading.Event()
        call = getattr(owner, name)

        def paused(*arguments: Any, **options: Any) -> Any:
            if not self.arrived.is_set():
                self.arrived.set()
                assert self.let_go.wait(LONG)
            return call(*arguments, **options)

        monkeypatch.setattr(owner, name, paused)


def delete_while_a_new_token_is_used(
    user: Any, in_use: Pause, issue: Callable[[], Any], use: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begin to delete a user, who gets a token before the row of the user is locked, and is using it then."""
    before_lock = Pause(monkeypatch, ending, "lock_owner")

    def use_new_token() -> None:
        assert before_lock.arrived.wait(LONG)
        use(issue())

    def order() -> None:
        assert in_use.arrived.wait(LONG)
        before_lock.let_go.set()
        let_go(in_use.arrived, in_use.let_go, waiting=1)

    in_threads([factories.User.objects.get(pk=user.pk).delete, use_new_token, order])

    assert not factories.User.objects.exists()
    assert not Token.objects.exists()


def test_a_user_is_deleted_while_a_new_grant_is_refreshed(monkeypatch: pytest.MonkeyPatch) -> None:
    user = factories.UserFactory()
    holder = factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN])
    in_use = Pause(monkeypatch, rotation, "_next_tokens")

    def issue() -> Any:
        return factories.TokenFactory(client=holder.client, user=user, refresh=True)

    def refresh(issued: Any) -> None:
        form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
        assert endpoints.post("/oauth/token", form, auth=holder).status_code == 200

    delete_while_a_new_token_is_used(user, in_use, issue, refresh, monkeypatch)


def test_a_user_is_deleted_while_a_new_token_is_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    user = factories.UserFactory()
    holder = factories.RegistrationFactory(grant_types=[GrantType.TOKEN_EXCHANGE], resources=[AUDIENCE])
    in_use = Pause(monkeypatch, token_exchange, "create")

    def issue() -> Any:
        return factories.TokenFactory(client=holder.client, user=user)

    def exchange(issued: Any) -> None:
        kind = "urn:ietf:params:oauth:token-type:access_token"
        form = {"grant_type": GrantType.TOKEN_EXCHANGE.value, "subject_token_type": kind}
        form["subject_token"] = issued.access_token
        answer = endpoints.post("/oauth/token", form, auth=holder)
        assert answer.status_code == 200, answer.content

    delete_while_a_new_token_is_used(user, in_use, issue, exchange, monkeypatch)


def test_a_user_is_deleted_while_a_new_personal_token_is_rotated(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(settings)
    user = factories.UserFactory()
    in_use = Pause(monkeypatch, issuing._Rotation, "claim")

    def rotate(issued: Any) -> None:
        issuing.rotate(PersonalToken.objects.of(user).get(pk=issued.row.pk))

    delete_while_a_new_token_is_used(user, in_use, lambda: make(user), rotate, monkeypatch)


@pytest.mark.parametrize("first", ["password", "rotate"])
def test_a_password_changes_in_a_transaction_while_a_personal_token_is_rotated(first: str, settings: Any) -> None:
    configure(settings)
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOKE_ON_PASSWORD_CHANGE": True}
    user = factories.UserFactory()
    issued = make(user)

    def change_password() -> None:
        same = factories.User.objects.get(pk=user.pk)
        same.set_password("another")
        with transaction.atomic():
            same.save()

    def rotate() -> None:
        row = PersonalToken.objects.of(user).get(pk=issued.row.pk)
        with suppress(ValidationError) if first == "password" else nullcontext():
            issuing.rotate(row)

    works = {"password": change_password, "rotate": rotate}
    queue_behind(issued.row.token, works[first], works["rotate" if first == "password" else "password"])

    assert not Token.objects.filter(revoked_at=None).exists()


@pytest.mark.parametrize("first", ["delete", "exchange"])
def test_clients_are_deleted_while_a_token_of_one_is_exchanged_by_the_other(first: str) -> None:
    kind = "urn:ietf:params:oauth:token-type:access_token"
    owner = factories.RegistrationFactory(resources=[AUDIENCE])
    exchanging = factories.RegistrationFactory(grant_types=[GrantType.TOKEN_EXCHANGE], resources=[AUDIENCE])
    issued = factories.TokenFactory(client=owner.client, user=factories.UserFactory())
    form = {"grant_type": GrantType.TOKEN_EXCHANGE.value, "subject_token_type": kind}
    form["subject_token"] = issued.access_token

    def exchange() -> None:
        answer = endpoints.post("/oauth/token", form, auth=exchanging)
        assert answer.status_code == (200 if first == "exchange" else 400), answer.content

    works: dict[str, Callable[[], Any]] = {"delete": Client.objects.all().delete, "exchange": exchange}
    queue_behind(issued.token, works[first], works["exchange" if first == "delete" else "delete"])

    assert not Token.objects.exists()
