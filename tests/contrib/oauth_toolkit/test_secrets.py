"""Applications of django-oauth-toolkit authenticate with the identifiers and secrets that they have."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_introspection.contrib import hashed_secrets
from django_introspection.contrib.hashed_secrets import HashedSecrets
from django_introspection.protocol.errors import TemporarilyUnavailable, TooManyRequests
from tests import endpoints, factories
from tests.authorization_server.helpers import assert_inactive, assert_refused
from tests.contrib.hashers import CountingHasher

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
        return hashes.encoded, [query["sql"].replace(client_id, "?") for query in captured]

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

    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 20
    assert int(answers[-1]["Retry-After"]) > 0
    assert hashes.encoded == 10
    assert len([line for line in caplog.messages if line.startswith("client authentication failed")]) == 30
    assert "guess-" not in caplog.text


def test_guessing_locks_out_nobody_whose_secret_is_remembered(application: flows.Application) -> None:
    assert_inactive(ask(application))
    for number in range(11):
        ask(application, f"guess-{number}")

    assert_inactive(ask(application))


def test_a_right_secret_costs_nothing_of_what_failures_may(application: flows.Application) -> None:
    for _ in range(12):
        assert_inactive(ask(flows.register()))

    assert ask(application, "wrong").status_code == 401


def test_there_is_a_next_turn_after_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(hashed_secrets.time, "monotonic", lambda: now[0])
    verify = HashedSecrets()
    for _ in range(hashed_secrets.BURST):
        verify.verify_dummy_secret("wrong", address="192.0.2.1", hasher="default")
    with pytest.raises(TooManyRequests) as refusal:
        verify.verify_dummy_secret("wrong", address="192.0.2.1")
    now[0] += refusal.value.retry_after

    assert verify.verify_dummy_secret("wrong", address="192.0.2.1") is False
    assert verify.verify_dummy_secret("wrong", address="192.0.2.2") is False


def test_what_is_remembered_expires_and_is_bounded(
    hashes: type[CountingHasher], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth.hashers import make_password

    now = [0.0]
    monkeypatch.setattr(hashed_secrets.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(hashed_secrets, "REMEMBERED", 2)
    stored = {name: make_password(name) for name in "abc"}
    verify = HashedSecrets()

    def hashed(name: str) -> int:
        before = hashes.encoded
        assert verify.is_right(name, stored[name], address="192.0.2.1")
        return hashes.encoded - before

    assert [hashed(name) for name in "abcc"] == [1, 1, 1, 0]
    assert hashed("a") == 1
    now[0] += hashed_secrets.MEMORY + 1
    assert hashed("a") == 1


def test_a_process_hashes_the_same_secret_once_for_all_who_wait(hashes: type[CountingHasher]) -> None:
    from django.contrib.auth.hashers import make_password

    stored = make_password("secret")
    verify = HashedSecrets()
    hashes.encoded = 0
    with ThreadPoolExecutor(8) as threads:
        right = threads.map(lambda _: verify.is_right("secret", stored, address="192.0.2.1"), range(8))

    assert all(right)
    assert hashes.encoded <= hashed_secrets.CONCURRENCY


def test_whoever_cannot_get_a_turn_to_hash_is_asked_to_come_again(
    hashes: type[CountingHasher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashed_secrets, "PATIENCE", 0.01)
    verify = HashedSecrets()
    started, finish = Barrier(hashed_secrets.CONCURRENCY + 1), Event()

    def hold(*_: Any, **__: Any) -> None:
        started.wait(10)
        finish.wait(10)

    monkeypatch.setattr(hashed_secrets, "make_password", hold)  # a hash that takes as long as we like
    with ThreadPoolExecutor(hashed_secrets.CONCURRENCY) as threads:
        for number in range(hashed_secrets.CONCURRENCY):
            threads.submit(verify.verify_dummy_secret, "wrong", address=f"192.0.2.{number}")
        started.wait(10)
        with pytest.raises(TemporarilyUnavailable):
            verify.verify_dummy_secret("wrong", address="192.0.2.9")
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
