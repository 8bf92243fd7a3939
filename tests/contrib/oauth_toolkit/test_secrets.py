"""Applications of django-oauth-toolkit authenticate with the identifiers and secrets that they have."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event, Semaphore
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from django_introspection.authorization_server.client_sources import _source
from django_introspection.contrib import hashed_secrets, hashing_turns, right_secrets
from django_introspection.contrib.hashed_secrets import HashedSecrets
from django_introspection.models.fields import now
from django_introspection.models.verified_secret import VerifiedSecret
from django_introspection.protocol.errors import TemporarilyUnavailable, TooManyRequests
from tests import endpoints, factories
from tests.authorization_server.helpers import assert_inactive, assert_refused
from tests.contrib.hashers import CountingHasher, statements

from . import flows

DATABASE_CLIENTS = "django_introspection.authorization_server.clients.DatabaseClients"
APPLICATIONS = "django_introspection.contrib.oauth_toolkit.OAuthToolkitClients"
HASHERS = ["tests.contrib.hashers.CountingHasher", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]


@pytest.fixture
def hashes(settings: Any, fresh_sources: None) -> type[CountingHasher]:
    settings.PASSWORD_HASHERS = HASHERS
    CountingHasher.encoded = 0
    return CountingHasher


@pytest.fixture
def application(hashes: type[CountingHasher], db: None) -> flows.Application:
    application = flows.register()
    hashes.encoded = 0
    return application


def ask(application: Any, secret: str | None = None, **options: Any) -> Any:
    client_id = getattr(application.client, "client_id", application.client)
    return endpoints.introspect("x", auth=endpoints.basic(client_id, secret or application.secret), **options)


def test_a_hashed_secret_is_hashed_once_and_then_remembered(
    application: flows.Application, hashes: type[CountingHasher]
) -> None:
    assert application.client.client_secret.startswith("counting$")
    for _ in range(3):
        assert_inactive(ask(application))

    assert hashes.encoded == 1


def test_the_secret_may_come_in_the_body(application: flows.Application) -> None:
    form = {"token": "x", "client_id": application.client.client_id, "client_secret": application.secret}

    assert_inactive(endpoints.post("/o/introspect/", form))


def test_a_changed_secret_is_noticed_at_once(application: flows.Application) -> None:
    assert_inactive(ask(application))
    application.client.client_secret = "another-secret-of-the-application"
    application.client.save()

    assert_refused(ask(application), 401, "invalid_client")
    assert_inactive(ask(application, "another-secret-of-the-application"))


def test_a_remembered_secret_is_that_of_one_application(application: flows.Application) -> None:
    other = flows.register()
    assert_inactive(ask(application))

    assert_refused(ask(other, application.secret), 401, "invalid_client")


def test_an_unknown_application_and_a_wrong_secret_are_the_same_work(
    application: flows.Application, hashes: type[CountingHasher]
) -> None:
    def work(client_id: str) -> tuple[int, list[str]]:
        hashes.encoded = 0
        with CaptureQueriesContext(connection) as captured:
            response = endpoints.introspect("x", auth=endpoints.basic(client_id, "wrong"))
        assert_refused(response, 401, "invalid_client")
        return hashes.encoded, statements(captured, client_id)

    plain = flows.register(hash_client_secret=False).client.client_id
    public = flows.register(client_type="public").client.client_id
    known = work(application.client.client_id)

    assert known[0] == 1
    assert work("nobody") == work(plain) == work(public) == known


@pytest.mark.parametrize(
    "fields", [{"hash_client_secret": False}, {"hash_client_secret": True}], ids=["plain", "hashed"]
)
@pytest.mark.parametrize("given", ["", " "])
def test_a_blank_secret_never_authenticates(db: None, fields: dict[str, Any], given: str, fresh_sources: None) -> None:
    client = flows.register(**fields).client
    type(client).objects.update(client_secret=given)

    for auth in (endpoints.basic(client.client_id, given), None):
        form = {"token": "x", "client_id": client.client_id, "client_secret": given}
        response = endpoints.post("/o/introspect/", {"token": "x"} if auth else form, auth=auth)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


def test_a_public_application_is_no_caller(db: None, fresh_sources: None) -> None:
    application = flows.register(client_type="public")

    assert_refused(ask(application), 401, "invalid_client")


def test_a_secret_that_is_not_hashed_works_without_hashing(hashes: type[CountingHasher], db: None) -> None:
    application = flows.register(hash_client_secret=False)

    assert_inactive(ask(application))
    assert hashes.encoded == 0
    assert_refused(ask(application, "wrong"), 401, "invalid_client")


def test_the_stored_hash_is_no_secret_although_its_hasher_is_gone(
    application: flows.Application, settings: Any
) -> None:
    settings.PASSWORD_HASHERS = HASHERS[1:]

    assert_refused(ask(application, application.client.client_secret), 401, "invalid_client")


def test_an_application_that_is_not_usable_is_no_caller(
    application: flows.Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(application.client), "is_usable", lambda self, request: False)

    assert_refused(ask(application), 401, "invalid_client")


def test_guessing_is_refused_before_it_is_hashed_and_logged(
    application: flows.Application, hashes: type[CountingHasher], caplog: pytest.LogCaptureFixture
) -> None:
    answers = [ask(application, f"guess-{number}") for number in range(30)]

    assert [answer.status_code for answer in answers] == [401] * 11 + [429] * 19  # the client has a turn of its own
    assert int(answers[-1]["Retry-After"]) > 0
    assert hashes.encoded == 11
    assert len([line for line in caplog.messages if line.startswith("client authentication failed")]) == 30
    assert "guess-" not in caplog.text


def in_a_new_process() -> None:
    _source.cache_clear()


def exhaust(application: flows.Application) -> None:
    """Use up what one address may do, with unknown clients and with guesses at this one."""
    for number in range(15):
        endpoints.introspect("x", auth=endpoints.basic(f"nobody-{number}", "wrong"))
    assert ask(application, "guess").status_code == 401  # the turn that the client has of its own
    assert ask(application, "guess").status_code == 429


def test_a_secret_that_was_right_once_is_accepted_whatever_strangers_do(
    application: flows.Application, hashes: type[CountingHasher]
) -> None:
    assert_inactive(ask(application))
    in_a_new_process()
    exhaust(application)
    hashes.encoded = 0

    assert_inactive(ask(application))
    assert hashes.encoded == 0


def test_the_first_use_of_a_secret_has_a_turn_whatever_the_address_did(application: flows.Application) -> None:
    for number in range(15):
        endpoints.introspect("x", auth=endpoints.basic(f"nobody-{number}", "wrong"))
    assert endpoints.introspect("x", auth=endpoints.basic("nobody", "wrong")).status_code == 429

    assert_inactive(ask(application))


def test_the_table_knows_a_secret_for_one_hash_under_one_secret_key(
    application: flows.Application, hashes: type[CountingHasher], settings: Any
) -> None:
    assert_inactive(ask(application))
    row = VerifiedSecret.objects.get()
    assert application.secret not in str(vars(row))
    in_a_new_process()
    settings.SECRET_KEY = "another key"
    hashes.encoded = 0

    assert_inactive(ask(application))
    assert hashes.encoded == 1


@pytest.mark.parametrize(("days", "hashed"), [(91, 1), (60, 0)])
def test_a_row_lasts_while_it_is_used(
    application: flows.Application, hashes: type[CountingHasher], days: int, hashed: int
) -> None:
    assert_inactive(ask(application))
    hashes.encoded = 0
    with time_machine.travel(datetime.now(UTC) + timedelta(days=days), tick=False):
        in_a_new_process()
        assert_inactive(ask(application))
        (row,) = VerifiedSecret.objects.all()
        assert row.expires_at >= now() + timedelta(days=89)
    assert hashes.encoded == hashed


def test_what_strangers_can_make_a_process_hash_is_bounded(
    application: flows.Application, hashes: type[CountingHasher]
) -> None:
    for number in range(60):
        ask(application, f"guess-{number}")
        endpoints.introspect("x", auth=endpoints.basic(f"nobody-{number}", "wrong"))

    assert hashes.encoded <= hashing_turns.BURST + 1
    assert VerifiedSecret.objects.count() == 0


def test_a_right_secret_costs_nothing_of_what_failures_may(application: flows.Application) -> None:
    for _ in range(12):
        assert_inactive(ask(flows.register()))

    assert ask(application, "wrong").status_code == 401


def test_there_is_a_next_turn_after_some_seconds(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(hashing_turns.time, "monotonic", lambda: now[0])
    verify = HashedSecrets()
    for _ in range(hashing_turns.BURST):
        verify.verify_dummy_secret("wrong", address="192.0.2.1", hasher="default")
    with pytest.raises(TooManyRequests) as refusal:
        verify.verify_dummy_secret("wrong", address="192.0.2.1")
    now[0] += refusal.value.retry_after

    assert verify.verify_dummy_secret("wrong", address="192.0.2.1") is False
    assert verify.verify_dummy_secret("wrong", address="192.0.2.2") is False


def test_what_a_process_remembers_expires_and_is_bounded(
    hashes: type[CountingHasher], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth.hashers import make_password

    now = [0.0]
    monkeypatch.setattr(right_secrets.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(right_secrets, "REMEMBERED", 2)
    monkeypatch.setattr(right_secrets.RightSecrets, "find", lambda *_: False)  # a table that cannot be read
    monkeypatch.setattr(right_secrets, "_rows", unreadable)
    stored = {name: make_password(name) for name in "abc"}
    verify = HashedSecrets()

    def hashed(name: str) -> int:
        before = hashes.encoded
        assert verify.is_right(name, stored[name], client_id=name, address="192.0.2.1")
        return hashes.encoded - before

    assert [hashed(name) for name in "abcc"] == [1, 1, 1, 0]
    assert hashed("a") == 1
    now[0] += right_secrets.MEMORY + 1
    assert hashed("a") == 1


def unreadable() -> Any:
    raise DatabaseError


def test_a_process_hashes_the_same_secret_once_for_all_who_wait(
    hashes: type[CountingHasher], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth.hashers import check_password, make_password

    monkeypatch.setattr(right_secrets, "_rows", unreadable)
    stored = make_password("secret")
    verify = HashedSecrets()
    hashes.encoded = 0

    def check_when_all_wait(given: str, stored: str) -> bool:
        end = time.monotonic() + 5
        while verify._turns._clients["shop"].length < 24 and time.monotonic() < end:
            Event().wait(0.001)
        return bool(check_password(given, stored))

    monkeypatch.setattr(hashed_secrets, "check_password", check_when_all_wait)
    with ThreadPoolExecutor(24) as threads:  # more than one address may fail
        right = threads.map(
            lambda _: verify.is_right("secret", stored, client_id="shop", address="192.0.2.1"), range(24)
        )

    assert all(right)
    assert hashes.encoded == 1


@pytest.fixture
def slow_hash(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return hashes that take as long as we like: an event for their start, and one that lets them finish."""
    started, finish = Semaphore(0), Event()

    def hold(*_: Any, **__: Any) -> bool:
        started.release()
        finish.wait(10)
        return False

    monkeypatch.setattr(hashed_secrets, "make_password", hold)
    monkeypatch.setattr(hashed_secrets, "check_password", hold)
    monkeypatch.setattr(right_secrets, "_rows", unreadable)
    monkeypatch.setattr(hashing_turns, "PATIENCE", 0.01)
    yield started, finish
    finish.set()


def test_guesses_at_unknown_clients_from_many_addresses_delay_no_client(hashes: Any, slow_hash: Any) -> None:
    from django.contrib.auth.hashers import check_password, make_password

    started, finish = slow_hash
    verify, stored = HashedSecrets(), make_password("secret")
    with ThreadPoolExecutor(1) as threads, pytest.MonkeyPatch.context() as patch:
        threads.submit(verify.verify_dummy_secret, "wrong", address="192.0.2.1")
        assert started.acquire(timeout=10)
        with pytest.raises(TemporarilyUnavailable):
            verify.verify_dummy_secret("wrong", address="192.0.2.2")
        patch.setattr(hashed_secrets, "check_password", check_password)

        assert verify.is_right("secret", stored, client_id="shop", address="192.0.2.3")
        finish.set()


def test_guesses_at_one_client_delay_no_other_client(hashes: Any, slow_hash: Any) -> None:
    from django.contrib.auth.hashers import check_password, make_password

    started, finish = slow_hash
    verify, stored = HashedSecrets(), make_password("secret")

    def guess(number: int) -> bool:
        return verify.is_right("wrong", stored, client_id="shop", address=f"192.0.2.{number}")

    with ThreadPoolExecutor(1) as threads, pytest.MonkeyPatch.context() as patch:
        threads.submit(guess, 1)
        assert started.acquire(timeout=10)
        with pytest.raises(TemporarilyUnavailable):
            guess(2)
        patch.setattr(hashed_secrets, "check_password", check_password)

        assert verify.is_right("secret", stored, client_id="orders-api", address="192.0.2.3")
        finish.set()


def test_nothing_that_is_remembered_shows_a_secret(application: flows.Application) -> None:
    from django_introspection.authorization_server.client_sources import client_sources

    ask(application)
    shown = repr(vars(client_sources()[0]._secrets))  # type: ignore[attr-defined]  # what a debugger would show

    assert application.secret not in shown
    assert application.client.client_secret not in shown


def test_our_own_clients_call_as_well_where_they_are_a_source(
    configured: Any, application: flows.Application, hashes: type[CountingHasher]
) -> None:
    own = factories.RegistrationFactory()
    assert endpoints.introspect("x", auth=own).status_code == 401
    for sources in ([DATABASE_CLIENTS, APPLICATIONS], [APPLICATIONS, DATABASE_CLIENTS]):
        configured(CLIENT_SOURCES=sources)
        hashes.encoded = 0
        assert_inactive(endpoints.introspect("x", auth=own))
        assert hashes.encoded == 0
        assert_inactive(ask(application))


def test_an_application_gets_and_revokes_no_tokens_at_our_endpoints(application: flows.Application) -> None:
    for path in ("/oauth/token", "/oauth/revoke"):
        form = {"grant_type": "client_credentials", "token": "x"}
        response = endpoints.post(path, form, auth=tuple(application))
        assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")
