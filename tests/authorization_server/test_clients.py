from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from django_introspection.authorization_server import client_secrets
from django_introspection.authorization_server.issuing import add_secret
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Client, ClientSecret, Token
from django_introspection.protocol import opaque
from tests import endpoints, factories
from tests.authorization_server.helpers import (
    ENDPOINTS,
    assert_refused,
    bearer,
    introspecting_client,
    refusing,
    sqlite_only,
    whole,
)
from tests.settings import AUDIENCE, ISSUER

FORM = {"grant_type": "client_credentials", "token": "unknown"}
SECRET = "a-provisioned-secret-of-32-or-more"


def encode(halves: bytes) -> str:
    return f"Basic {base64.b64encode(halves).decode()}"


BROKEN = {
    "nothing": "Basic",
    "only spaces": "Basic   ",
    "no colon": encode(b"known"),
    "not base64": "Basic known:secret",
    "no padding": encode(b"known:" + SECRET.encode()).rstrip("=") + "A",
    "base64url": "Basic a25vd246_-8=",
    "not ASCII": "Basic é",
    "encoded bytes that are not UTF-8": encode(b"known:%ff%fe"),
    "raw bytes that are not UTF-8": encode(b"\xff\xfe:\xff"),
    "NUL in the id": encode(b"kno%00wn:" + SECRET.encode()),
    "raw NUL in the secret": encode(b"known:\x00" + SECRET.encode()),
    "line break": encode(b"known:" + SECRET.encode() + b"%0D%0A"),
    "empty id": encode(b":" + SECRET.encode()),
    "empty secret": encode(b"known:"),
    "empty halves": encode(b":"),
    "two headers joined": f"{endpoints.basic('known', SECRET)}, {endpoints.basic('known', SECRET)}",
    "two values": f"{endpoints.basic('known', SECRET)} {SECRET}",
    "tab before the value": endpoints.basic("known", SECRET).replace(" ", "\t"),
    "unknown scheme": f"Known {SECRET}",
    "no scheme": SECRET,
    "scheme that begins like ours": f"Basically {SECRET}",
}


@pytest.fixture
def known(db: None) -> Any:
    return factories.RegistrationFactory(client_id="known", client_secret=SECRET)


@pytest.mark.requirement("6749-2.3.1-c")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("broken", BROKEN)
def test_broken_credentials_are_a_failed_authentication_and_cost_no_query(
    known: Any, django_assert_num_queries: Any, path: str, broken: str
) -> None:
    with django_assert_num_queries(0):
        response = endpoints.post(path, FORM, auth=BROKEN[broken])

    assert_refused(response, 401, "invalid_client", SECRET, base64.b64encode(SECRET.encode()).decode())
    assert response["WWW-Authenticate"].startswith('Basic realm="oauth"')


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "credentials",
    [
        {"client_secret": SECRET},
        {"client_id": "", "client_secret": SECRET},
        {"client_id": "kno\x00wn", "client_secret": SECRET},
        {"client_id": "known", "client_secret": f"{SECRET}\x00"},
        {"client_id": "KNOWN", "client_secret": SECRET},
        {"client_id": "known ", "client_secret": SECRET},
        {"client_id": "known", "client_secret": SECRET.upper()},
        {"client_id": "known", "client_secret": f" {SECRET}"},
        {"client_id": "x" * 5000, "client_secret": SECRET},
    ],
)
def test_credentials_in_the_body_must_be_exact(db: None, path: str, credentials: dict[str, str]) -> None:
    factories.RegistrationFactory(
        client_id="known", client_secret=SECRET, token_endpoint_auth_method="client_secret_post"
    )

    assert_refused(endpoints.post(path, {**FORM, **credentials}), 401, "invalid_client", SECRET)


BASE64_SECRET = "q7+Zk/1aPx0+2yVbqT%2Fu9dG4sLwXn8Re3mHjKc6oYt="
"""What `openssl rand -base64 32` makes, and a percent sign with hexadecimal digits behind it."""


@pytest.mark.requirement("6749-2.3.1-b")
@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_provisioned_secret_is_accepted_form_encoded_and_as_it_is(
    path: str, db: None, django_assert_num_queries: Any
) -> None:
    factories.RegistrationFactory(client_id="billing", client_secret=BASE64_SECRET)
    halves = f"billing:{BASE64_SECRET}".encode()

    for authorization in (endpoints.basic("billing", BASE64_SECRET), encode(halves)):
        assert endpoints.post(path, FORM, auth=authorization).status_code == 200
    assert_refused(endpoints.post(path, FORM, auth=encode(halves.replace(b"+", b" "))), 401, "invalid_client")


def test_two_spellings_are_one_statement_and_two_guesses(db: None, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "THROTTLE": {"FAILURES": 4}}
    factories.RegistrationFactory(client_id="billing", client_secret=BASE64_SECRET)
    statements: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        tried = [endpoints.introspect("x", auth=encode(f"billing:w+{'w' * 40}".encode())).status_code for _ in range(3)]
        assert tried == [401, 401, 429]
        assert endpoints.introspect("x", auth=encode(f"unknown:w+{'w' * 40}".encode())).status_code == 401
    assert len(statements) == 4
    assert len(set(statements)) == 1
    assert endpoints.introspect("x", auth=encode(f"billing:{BASE64_SECRET}".encode())).status_code == 200


@pytest.mark.requirement("6749-2.3.1-h")
@pytest.mark.parametrize("path", ENDPOINTS)
def test_an_unknown_client_and_a_wrong_secret_are_the_same_work_and_the_same_bytes(known: Any, path: str) -> None:
    attempts = [("known", "w" * 40), ("unknown", "w" * 40), ("unknown", SECRET)]
    answers: list[Any] = []
    statements: list[list[str]] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        statements[-1].append(sql)
        return execute(sql, *rest)

    for client_id, secret in attempts:
        statements.append([])
        with connection.execute_wrapper(note):
            answers.append(whole(endpoints.post(path, FORM, auth=endpoints.basic(client_id, secret))))

    assert answers[0] == answers[1] == answers[2]
    assert statements[0] == statements[1] == statements[2]
    assert len(statements[0]) == 1


def test_an_inactive_client_is_refused_like_an_unknown_one(known: Any) -> None:
    Client.objects.update(is_active=False)

    for path in ENDPOINTS:
        inactive = endpoints.post(path, FORM, auth=known)
        assert_refused(inactive, 401, "invalid_client", SECRET)
        assert whole(inactive) == whole(endpoints.post(path, FORM, auth=endpoints.basic("unknown", SECRET)))


def test_every_live_secret_of_a_client_works_and_an_expired_one_does_not(known: Any, time_machine: Any) -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    time_machine.move_to(start, tick=False)
    old = add_secret(known.client, expires_at=start + timedelta(hours=1))
    new = add_secret(known.client)

    def accepted() -> list[bool]:
        secrets = (known.secret, old, new)
        return [endpoints.introspect("x", auth=(known.client, secret)).status_code == 200 for secret in secrets]

    time_machine.move_to(start + timedelta(seconds=3599), tick=False)
    before = accepted()
    time_machine.move_to(start + timedelta(seconds=3600), tick=False)

    assert before == [True, True, True]
    assert accepted() == [True, False, True]
    ClientSecret.objects.filter(digest=opaque.digest(new)).delete()
    assert accepted() == [True, False, False]


def test_a_secret_opens_its_own_client_alone(known: Any, machine: Any) -> None:
    assert_refused(endpoints.introspect("x", auth=(known.client, machine.secret)), 401, "invalid_client")


def test_the_last_use_of_a_secret_is_kept_once_a_minute(
    known: Any, time_machine: Any, django_assert_num_queries: Any
) -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    for seconds, statements, last_use in [(0, 2, 0), (1, 1, 0), (60, 1, 0), (61, 2, 61), (62, 1, 61), (600, 2, 600)]:
        time_machine.move_to(start + timedelta(seconds=seconds), tick=False)
        with django_assert_num_queries(statements):
            assert endpoints.introspect("unknown", auth=known).status_code == 200
        assert ClientSecret.objects.get().last_used_at == start + timedelta(seconds=last_use)


def test_a_failed_authentication_is_no_use_of_a_secret(known: Any) -> None:
    endpoints.introspect("x", auth=(known.client, "wrong"))
    Client.objects.update(is_active=False)
    endpoints.introspect("x", auth=known)

    assert ClientSecret.objects.get().last_used_at is None


@sqlite_only
@pytest.mark.django_db(transaction=True)
def test_a_last_use_that_cannot_be_kept_refuses_nobody() -> None:
    machine = factories.RegistrationFactory()

    with refusing("UPDATE", ClientSecret):
        response = endpoints.introspect("unknown", auth=machine)

    assert response.json() == {"active": False}


def _issue(caller: Any, **grant: Any) -> Any:
    return factories.TokenFactory(**{"client": caller.client, "scope": "introspection", "audience": [ISSUER], **grant})


def _expired(caller: Any) -> str:
    issued = _issue(caller)
    Token.objects.update(expires_at=datetime.now(UTC))
    return str(issued.access_token)


def _revoked(caller: Any) -> str:
    issued = _issue(caller)
    revoke_token(issued.token, by=None)
    return str(issued.access_token)


def _of_inactive_client(caller: Any) -> str:
    issued = _issue(caller)
    Client.objects.update(is_active=False)
    return str(issued.access_token)


WEAK = {
    "unknown": lambda caller: "no-such-token",
    "malformed with our prefix": lambda caller: "dit_at_short",
    "a client secret": lambda caller: caller.secret,
    "of a user": lambda caller: _issue(caller, user=factories.UserFactory()).access_token,
    "for another audience": lambda caller: _issue(caller, audience=[AUDIENCE]).access_token,
    "for no audience": lambda caller: _issue(caller, audience=[]).access_token,
    "a refresh token": lambda caller: _issue(caller, refresh=True).refresh_token,
    "bound to a key": lambda caller: _issue(caller, members={"cnf": {"jkt": "x"}}).access_token,
    "bound to a certificate": lambda caller: _issue(caller, members={"cnf": {"x5t#S256": "x"}}).access_token,
    "bound to something unknown": lambda caller: _issue(caller, members={"cnf": {}}).access_token,
    "not yet valid": lambda caller: _issue(caller, not_before=datetime.now(UTC) + timedelta(hours=1)).access_token,
    "expired": _expired,
    "revoked": _revoked,
    "of an inactive client": _of_inactive_client,
}


@pytest.mark.requirement("7662-2.3-b", "7662-2.1-j")
@pytest.mark.parametrize("weakness", WEAK)
def test_a_bearer_caller_whose_token_is_not_good_here_is_401_without_a_reason(db: None, weakness: str) -> None:
    caller = introspecting_client()
    value = WEAK[weakness](caller)

    response = endpoints.introspect("unknown", auth=f"Bearer {value}")

    assert_refused(response, 401, "invalid_token", value)
    assert response["WWW-Authenticate"].startswith('Bearer realm="oauth", error="invalid_token"')
    assert whole(response) == whole(endpoints.introspect("unknown", auth="Bearer some-other-unknown-token"))


def test_the_token_of_a_bearer_caller_is_for_the_configured_issuer(settings: Any, db: None) -> None:
    header = bearer(introspecting_client())
    for changed in ({}, {"ISSUER": f"{ISSUER}/"}, {"ISSUER": ISSUER.upper()}):
        settings.TOKEN_INTROSPECTION = changed
        assert_refused(endpoints.introspect("unknown", auth=header), 401, "invalid_token")


def test_a_token_cannot_be_used_to_ask_about_itself(db: None) -> None:
    caller = introspecting_client()
    header = bearer(caller)
    value = header.removeprefix("Bearer ")

    assert_refused(endpoints.introspect(value, auth=header), 401, "invalid_token", value)
    assert endpoints.introspect(value, auth=bearer(caller)).json()["active"] is True


@pytest.mark.parametrize("value", ["", " ", "a b", "tökèn", "a,b", '"a"', "=a", "a\x00"])
def test_a_malformed_bearer_token_of_a_caller_is_401(db: None, django_assert_num_queries: Any, value: str) -> None:
    with django_assert_num_queries(0):
        response = endpoints.introspect("unknown", auth=f"Bearer {value}")

    assert_refused(response, 401, "invalid_token")
    assert response["WWW-Authenticate"].startswith('Bearer realm="oauth", error="invalid_token"')


def test_processes_that_read_a_secret_together_write_its_use_once(machine: Any, time_machine: Any) -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    time_machine.move_to(at, tick=False)
    one, other = ClientSecret.objects.get(), ClientSecret.objects.get()

    client_secrets._record_use(one)
    time_machine.shift(30)
    client_secrets._record_use(other)

    assert ClientSecret.objects.get().last_used_at == at
