"""Events that are pushed end tokens (RFC 8935), and a transmitter that misbehaves changes nothing."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import InterfaceError, OperationalError, connection
from django.test import Client as Browser

from django_introspection import introspect
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.security_events.models import CutOff, ReceivedStream
from django_introspection.signals import security_event_received
from tests import caches as test_caches
from tests import jose
from tests.authorization_server.helpers import without_table
from tests.backends.issuers import access_token, jwt_settings, public, publish
from tests.misbehaving.server import MisbehavingServer
from tests.security_events.transmitter import AUDIENCE, CAEP, RISC, SSF, Transmitter, push

SECRET = "Bearer a-secret-of-the-stream"


@pytest.fixture
def stream(transmitter: Transmitter) -> ReceivedStream:
    return transmitter.stream()


def is_active(transmitter: Transmitter, **claims: Any) -> bool:
    return introspect(access_token(transmitter.issuer, **{"iat": int(time.time()) - 5, **claims})) is not None


@pytest.mark.usefixtures("stream")
def test_a_pushed_event_ends_tokens_that_were_never_seen(transmitter: Transmitter) -> None:
    assert is_active(transmitter)

    response = push(transmitter.event())

    assert (response.status_code, response.content) == (202, b"")
    assert response["Cache-Control"] == "no-store"
    assert not is_active(transmitter)
    assert is_active(transmitter, sub="bob")
    assert is_active(transmitter, iat=int(time.time()) + 2)


ENDING = {
    "session-revoked": (f"{CAEP}session-revoked", {}),
    "credential-change": (f"{CAEP}credential-change", {"credential_type": "password", "change_type": "update"}),
    "token-claims-change": (f"{CAEP}token-claims-change", {"claims": {"role": "ro-admin"}}),
    "account-disabled": (f"{RISC}account-disabled", {"reason": "hijacking"}),
    "account-purged": (f"{RISC}account-purged", {}),
    "credential-compromise": (f"{RISC}credential-compromise", {"credential_type": "password"}),
    "sessions-revoked": (f"{RISC}sessions-revoked", {}),
}


@pytest.mark.parametrize(("event", "members"), ENDING.values(), ids=ENDING)
@pytest.mark.usefixtures("stream")
def test_each_of_these_events_ends_the_tokens_of_its_subject(
    event: str, members: Any, transmitter: Transmitter
) -> None:
    assert push(transmitter.event(event, members)).status_code == 202

    assert not is_active(transmitter)
    assert is_active(transmitter, sub="bob")


ENDING_NONE = {
    "a further credential": (f"{CAEP}credential-change", {"credential_type": "password", "change_type": "create"}),
    "account-enabled": (f"{RISC}account-enabled", {}),
    "an unknown event": ("https://example.com/made-up", {"any": ["thing"]}),
    "verification": (f"{SSF}verification", {"state": "abc"}),
    "stream-updated": (f"{SSF}stream-updated", {"status": "paused"}),
}


@pytest.mark.parametrize(("event", "members"), ENDING_NONE.values(), ids=ENDING_NONE)
@pytest.mark.usefixtures("stream")
def test_other_events_are_acknowledged_and_reported_and_end_nothing(
    event: str, members: Any, transmitter: Transmitter, received: list[dict[str, Any]]
) -> None:
    assert push(transmitter.event(event, members, sub_id={"format": "made-up"})).status_code == 202

    assert is_active(transmitter)
    assert [(said["event_type"], said["event"], said["targets"]) for said in received] == [(event, members, ())]


SESSION = {"format": "opaque", "id": "session-1"}


@pytest.mark.parametrize(
    ("subject", "ended", "alive"),
    [
        (SESSION, {"sid": "session-1"}, {"sid": "session-2"}),
        ({"format": "opaque", "id": "alice"}, {"sub": "alice"}, {"sub": "bob"}),
        ({"format": "complex", "session": SESSION}, {"sid": "session-1"}, {"sid": "session-2"}),
        (
            {"format": "complex", "session": SESSION, "user": "iss_sub", "tenant": {"format": "opaque", "id": "1"}},
            {"sid": "session-1"},
            {"sid": "session-2"},
        ),
        ({"format": "complex", "user": "iss_sub", "device": {"format": "opaque", "id": "1"}}, {}, {"sub": "bob"}),
        (
            {"format": "complex", "application": {"format": "opaque", "id": "app"}},
            {"client_id": "app"},
            {"client_id": "shop"},
        ),
        ("jwt_id", {"jti": "token-1"}, {"jti": "token-2"}),
        ({"format": "complex", "session": "jwt_id"}, {"jti": "token-1"}, {"jti": "token-2"}),
    ],
)
@pytest.mark.usefixtures("stream")
def test_the_most_exact_part_of_a_subject_counts(
    subject: Any, ended: Any, alive: Any, transmitter: Transmitter
) -> None:
    named = {
        "iss_sub": transmitter.iss_sub(),
        "jwt_id": {"format": "jwt_id", "iss": transmitter.issuer, "jti": "token-1"},
    }
    if isinstance(subject, dict):
        subject = {
            name: named.get(value, value) if isinstance(value, str) else value for name, value in subject.items()
        }
    else:
        subject = named[subject]

    assert push(transmitter.event(sub_id=subject)).status_code == 202

    assert not is_active(transmitter, **ended)
    assert is_active(transmitter, **alive)


def test_a_stream_whose_tokens_name_no_session_ends_the_user(transmitter: Transmitter) -> None:
    transmitter.stream(ends_whole_user=True)

    push(transmitter.event(sub_id={"format": "complex", "session": SESSION, "user": transmitter.iss_sub()}))

    assert not is_active(transmitter)
    assert not is_active(transmitter, sub="bob", sid="session-1")


def test_a_user_who_is_not_understood_does_not_keep_the_session_alive(transmitter: Transmitter) -> None:
    transmitter.stream(ends_whole_user=True)
    user = {"format": "email", "email": "alice@example.com"}

    assert push(transmitter.event(sub_id={"format": "complex", "session": SESSION, "user": user})).status_code == 202

    assert not is_active(transmitter, sid="session-1")
    assert is_active(transmitter, sid="session-2")


@pytest.mark.parametrize("ends_whole_user", [False, True])
def test_a_session_that_is_not_understood_ends_its_user(ends_whole_user: bool, transmitter: Transmitter) -> None:
    transmitter.stream(ends_whole_user=ends_whole_user)
    session = {"format": "made-up", "id": "session-1"}

    event = transmitter.event(sub_id={"format": "complex", "session": session, "user": transmitter.iss_sub()})
    assert push(event).status_code == 202

    assert not is_active(transmitter)
    assert is_active(transmitter, sub="bob")


@pytest.mark.parametrize("place", ["event_timestamp", "toe", "iat"])
@pytest.mark.usefixtures("stream")
def test_the_moment_of_the_event_counts_and_not_its_receipt(place: str, transmitter: Transmitter) -> None:
    moment = int(time.time()) - 60
    claims = {"iat": moment} if place == "iat" else {"toe": moment} if place == "toe" else {}
    members = {"event_timestamp": moment} if place == "event_timestamp" else {}

    push(transmitter.event(f"{CAEP}session-revoked", members, **claims))

    assert not is_active(transmitter, iat=moment)
    assert is_active(transmitter, iat=moment + 1)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.usefixtures("stream")
def test_of_several_events_the_latest_moment_of_each_target_counts(
    order: int, transmitter: Transmitter, received: list[dict[str, Any]]
) -> None:
    now = int(time.time())
    revoked, compromised = f"{CAEP}session-revoked", f"{RISC}credential-compromise"
    moments = [(revoked, now - 5000), (compromised, now - 10)][::order]
    events = {name: {"event_timestamp": moment} for name, moment in moments}

    assert push(transmitter.event(events=events, sub_id={"format": "opaque", "id": "alice"})).status_code == 202

    assert not is_active(transmitter, iat=now - 10)
    assert is_active(transmitter, iat=now - 9)
    assert not is_active(transmitter, sub="bob", sid="alice", iat=now - 5000)
    assert is_active(transmitter, sub="bob", sid="alice", iat=now - 4999), "the later event names no session"
    said = {each["event_type"]: (each["moment"], each["targets"]) for each in received}
    assert said == {
        revoked: (now - 5000, (("sub", "alice"), ("sid", "alice"))),
        compromised: (now - 10, (("sub", "alice"),)),
    }


@pytest.mark.usefixtures("stream")
def test_a_moment_in_milliseconds_is_understood(transmitter: Transmitter) -> None:
    """Drafts of CAEP 1.0 §2 had event_timestamp in milliseconds."""
    moment = int(time.time()) - 60

    assert push(transmitter.event(f"{CAEP}session-revoked", {"event_timestamp": moment * 1000 + 7})).status_code == 202

    assert not is_active(transmitter, iat=moment)
    assert is_active(transmitter, iat=moment + 1)


@pytest.mark.usefixtures("stream")
def test_a_moment_in_the_future_ends_no_later_token_for_long(transmitter: Transmitter) -> None:
    push(transmitter.event(f"{CAEP}session-revoked", {"event_timestamp": 4_000_000_000}))

    assert CutOff.objects.get().moment <= time.time() + 30


def test_a_repetition_is_acknowledged_again_and_has_no_effect(
    transmitter: Transmitter, stream: ReceivedStream, received: list[Any]
) -> None:
    token = transmitter.event()
    push(token)
    CutOff.objects.all().delete()

    assert push(token).status_code == 202

    assert not CutOff.objects.exists()
    assert len(received) == 1
    stream.refresh_from_db()
    assert (stream.count, stream.failures) == (1, 0)


def test_an_event_of_one_issuer_keeps_no_event_of_another_from_its_effect(
    transmitter: Transmitter, stream: ReceivedStream
) -> None:
    """Each transmitter chooses its `jti`, and one that knows those of another could otherwise hide its events."""
    token = transmitter.event(jti="shared")
    with MisbehavingServer() as server:
        other = Transmitter(server)
        other.stream()
        assert push(other.event(jti="shared")).status_code == 202

    assert push(token).status_code == 202

    assert not is_active(transmitter)
    stream.refresh_from_db()
    assert stream.count == 1


@pytest.mark.django_db(transaction=True)
def test_no_transaction_of_the_project_is_around_an_event(
    transmitter: Transmitter, stream: ReceivedStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that comes later would undo the effect of an event that is remembered."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    seen = []

    def look(**_: Any) -> None:
        seen.append(connection.in_atomic_block)

    security_event_received.connect(look)
    try:
        assert push(transmitter.event()).status_code == 202
    finally:
        security_event_received.disconnect(look)
    assert seen == [False]


def test_an_event_is_remembered_for_a_day(
    transmitter: Transmitter, stream: ReceivedStream, received: list[Any]
) -> None:
    token = transmitter.event()
    push(token)

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=23)):
        assert push(token).status_code == 202

    assert len(received) == 1
    stream.refresh_from_db()
    assert stream.count == 1


def misbehaviours(transmitter: Transmitter) -> dict[str, tuple[Callable[[], Any], str]]:
    """Return what a transmitter does wrong, and the error that it must get."""
    event, claims, signed = transmitter.event, transmitter.claims, transmitter.signed
    other = {"format": "iss_sub", "iss": "https://other.example", "sub": "alice"}
    revoked = f"{CAEP}session-revoked"
    none = ".".join((jose.part({"alg": "none", "typ": "secevent+jwt"}), jose.part(claims()), ""))
    parts = event().split(".")
    return {
        "another issuer": (lambda: push(event(iss="https://other.example")), "invalid_issuer"),
        "an issuer that is no text": (lambda: push(event(iss=["a"])), "invalid_issuer"),
        "no issuer": (lambda: push(event(iss=None)), "invalid_issuer"),
        "another audience": (lambda: push(event(aud="https://other.example")), "invalid_audience"),
        "no audience": (lambda: push(event(aud=None)), "invalid_audience"),
        "an access token": (lambda: push(access_token(transmitter.issuer, aud=AUDIENCE)), "invalid_request"),
        "the type of any JWT": (lambda: push(event(header={"typ": "JWT"})), "invalid_request"),
        "no type": (lambda: push(event(header={"typ": None})), "invalid_request"),
        "a logout token": (lambda: push(transmitter.logout()), "invalid_request"),
        "no signature": (lambda: push(none), "invalid_key"),
        "a key of a stranger": (lambda: push(event(key="stranger")), "invalid_key"),
        "an unknown key": (lambda: push(event(header={"kid": "gone"}, key="gone")), "invalid_key"),
        "an altered claim": (
            lambda: push(".".join((parts[0], jose.part(claims(sub_id=other)), parts[2]))),
            "invalid_key",
        ),
        "no jti": (lambda: push(event(jti=None)), "invalid_request"),
        "a long jti": (lambda: push(event(jti="a" * 256)), "invalid_request"),
        "no iat": (lambda: push(event(iat=None)), "invalid_request"),
        "an iat in the future": (lambda: push(event(iat=int(time.time()) + 600)), "invalid_request"),
        "an exp": (lambda: push(event(exp=int(time.time()) + 600)), "invalid_request"),
        "a sub": (lambda: push(event(sub="alice")), "invalid_request"),
        "no events": (lambda: push(event(events=None)), "invalid_request"),
        "an empty events": (lambda: push(event(events={})), "invalid_request"),
        "events as a list": (lambda: push(event(events=[revoked])), "invalid_request"),
        "an event that is text": (lambda: push(event(events={revoked: "now"})), "invalid_request"),
        "a moment that is text": (lambda: push(event(revoked, {"event_timestamp": "now"})), "invalid_request"),
        "a moment in microseconds": (
            lambda: push(event(revoked, {"event_timestamp": 1764259200 * 10**6})),
            "invalid_request",
        ),
        "a moment that is true": (lambda: push(event(revoked, {"event_timestamp": True})), "invalid_request"),
        "a toe that is text": (lambda: push(event(toe="now")), "invalid_request"),
        "no subject": (lambda: push(event(sub_id=None)), "invalid_request"),
        "a subject of another issuer": (lambda: push(event(sub_id=other)), "invalid_request"),
        "a token of another issuer": (
            lambda: push(event(sub_id={"format": "jwt_id", "iss": "https://other.example", "jti": "1"})),
            "invalid_request",
        ),
        "an address": (lambda: push(event(sub_id={"format": "email", "email": "a@example.com"})), "invalid_request"),
        "aliases": (
            lambda: push(event(sub_id={"format": "aliases", "identifiers": [transmitter.iss_sub()]})),
            "invalid_request",
        ),
        "a device alone": (
            lambda: push(event(sub_id={"format": "complex", "device": transmitter.iss_sub()})),
            "invalid_request",
        ),
        "a subject that is text": (lambda: push(event(sub_id="alice")), "invalid_request"),
        "an empty subject": (lambda: push(event(sub_id={"format": "opaque", "id": ""})), "invalid_request"),
        "a huge body": (lambda: push(event(txn="a" * 100_000)), "invalid_request"),
        "another content type": (lambda: push(event(), content_type="application/jwt"), "invalid_request"),
        "a form": (lambda: push("a=b", content_type="application/x-www-form-urlencoded"), "invalid_request"),
        "an empty body": (lambda: push(""), "invalid_request"),
        "no token": (lambda: push("hello"), "invalid_request"),
        "bytes": (lambda: push("é"), "invalid_request"),
        "a repeated member": (
            lambda: push(signed(json.dumps(claims()).replace("{", '{"iss": "https://other.example", ', 1).encode())),
            "invalid_request",
        ),
    }


@pytest.mark.usefixtures("stream")
def test_a_transmitter_that_misbehaves_gets_the_error_of_the_standard_and_changes_nothing(
    transmitter: Transmitter, received: list[Any]
) -> None:
    for name, (misbehave, err) in misbehaviours(transmitter).items():
        response = misbehave()

        assert (name, response.status_code, response.json().get("err")) == (name, 400, err)
        assert response["Content-Type"] == "application/json"
        assert response["Content-Language"] == "en"
        assert response["Cache-Control"] == "no-store"
        assert set(response.json()) == {"err", "description"}
        assert "alice" not in response.content.decode()
    assert is_active(transmitter)
    assert (CutOff.objects.count(), received) == (0, [])


@pytest.mark.usefixtures("stream")
def test_a_jwt_of_another_type_costs_no_statement(transmitter: Transmitter, django_assert_num_queries: Any) -> None:
    token = transmitter.event(iss="https://other.example", header={"typ": "JWT"})

    with django_assert_num_queries(0):
        assert push(token).json()["err"] == "invalid_request"


@pytest.mark.usefixtures("stream")
def test_a_jti_may_have_255_characters(transmitter: Transmitter) -> None:
    assert push(transmitter.event(jti="a" * 255)).status_code == 202


@pytest.mark.usefixtures("stream")
def test_of_two_claims_too_many_the_description_names_one(transmitter: Transmitter) -> None:
    response = push(transmitter.event(exp=int(time.time()) + 600, sub="alice"))

    assert response.json()["description"] == "the claim exp must not be in a security event token"


@pytest.mark.usefixtures("stream")
def test_a_key_that_the_issuer_removed_signs_no_event(
    transmitter: Transmitter, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(transmitter.server, public("two"))

    assert push(transmitter.event()).json()["err"] == "invalid_key"
    assert push(transmitter.event(header={"kid": "two"}, key="two")).status_code == 202


def test_an_inactive_stream_receives_nothing(transmitter: Transmitter) -> None:
    transmitter.stream(is_active=False)
    transmitter.stream(delivery="poll", poll_url="https://id.example/poll")

    assert push(transmitter.event()).json()["err"] == "invalid_issuer"


@pytest.mark.parametrize("header", [None, "", "Bearer another", f"{SECRET} ", "Bearer é"])
def test_a_stream_with_an_authorization_takes_no_event_without_it(
    header: str | None, transmitter: Transmitter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SECURITY_EVENTS_TEST", SECRET)
    stream = transmitter.stream(authorization={"ENV": "SECURITY_EVENTS_TEST"})

    response = push(transmitter.event(), **({} if header is None else {"Authorization": header}))

    assert (response.status_code, response.json()["err"]) == (400, "authentication_failed")
    assert not CutOff.objects.exists()
    stream.refresh_from_db()
    assert (stream.failures, stream.last_failure.partition(":")[0]) == (1, "authentication_failed")
    assert SECRET not in caplog.text


def test_a_stream_with_an_authorization_takes_an_event_with_it(
    transmitter: Transmitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECURITY_EVENTS_TEST", SECRET)
    transmitter.stream(authorization={"ENV": "SECURITY_EVENTS_TEST"})

    assert push(transmitter.event(), Authorization=SECRET).status_code == 202


def test_a_row_compares_with_no_other_secret_of_the_project(
    transmitter: Transmitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers would tell a stranger whether a guess at that secret is right."""
    monkeypatch.setenv("DATABASE_PASSWORD", SECRET)
    transmitter.stream(authorization={"ENV": "DATABASE_PASSWORD"})

    assert push(transmitter.event(), Authorization=SECRET).status_code == 503
    assert not CutOff.objects.exists()


@pytest.mark.parametrize("header", [None, ""])
def test_an_empty_secret_is_no_open_door(
    header: str | None, transmitter: Transmitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECURITY_EVENTS_TEST", "")
    transmitter.stream(authorization={"ENV": "SECURITY_EVENTS_TEST"})

    response = push(transmitter.event(), **({} if header is None else {"Authorization": header}))

    assert (response.status_code, response.json()["err"]) == (400, "authentication_failed")
    assert not CutOff.objects.exists()


def test_a_secret_that_has_vanished_is_an_outage_and_no_open_door(
    transmitter: Transmitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECURITY_EVENTS_TEST", raising=False)
    transmitter.stream(authorization={"ENV": "SECURITY_EVENTS_TEST"})

    assert push(transmitter.event()).status_code == 503
    assert not CutOff.objects.exists()


def test_an_event_while_the_cache_is_down_is_503_and_counts_when_it_comes_again(
    transmitter: Transmitter, stream: ReceivedStream, settings: Any, received: list[Any]
) -> None:
    token, before = transmitter.event(), settings.CACHES
    settings.CACHES = {**before, "revocations": {"BACKEND": "tests.caches.BrokenCache"}}
    values = settings.TOKEN_INTROSPECTION
    settings.TOKEN_INTROSPECTION = {**values, "REVOCATIONS": {"TOMBSTONES": False, "ALIAS": "revocations"}}

    response = push(token)

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert received == []
    settings.TOKEN_INTROSPECTION = values

    assert push(token).status_code == 202
    assert not is_active(transmitter)


@pytest.mark.usefixtures("stream")
def test_an_event_that_cannot_be_remembered_is_503(transmitter: Transmitter, settings: Any) -> None:
    settings.CACHES = {**settings.CACHES, "replays": {"BACKEND": "tests.caches.BrokenCache"}}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REPLAY_CACHE": "replays"}

    assert push(transmitter.event()).status_code == 503


@pytest.mark.usefixtures("stream")
def test_an_event_whose_keys_cannot_be_fetched_is_503(transmitter: Transmitter) -> None:
    transmitter.server.behave("status", code=500)
    transmitter.server.behave("status", at="/jwks", code=500)

    assert push(transmitter.event()).status_code == 503


@pytest.mark.django_db(transaction=True)
def test_a_database_that_fails_is_503(transmitter: Transmitter) -> None:
    transmitter.stream()
    token = transmitter.event()

    with without_table(CutOff):
        assert push(token).status_code == 503

    assert push(token).status_code == 202
    assert not is_active(transmitter)


@pytest.mark.usefixtures("stream")
def test_an_event_that_could_not_be_remembered_is_reported_and_comes_again(
    transmitter: Transmitter, settings: Any, received: list[Any]
) -> None:
    token, values = transmitter.event(), settings.TOKEN_INTROSPECTION
    settings.CACHES = {**settings.CACHES, "replays": {"BACKEND": "tests.caches.FullCache"}}
    settings.TOKEN_INTROSPECTION = {**values, "REPLAY_CACHE": "replays"}
    assert push(token).status_code == 503
    assert len(received) == 1

    settings.TOKEN_INTROSPECTION = values
    assert push(token).status_code == 202

    assert len(received) == 2


@pytest.mark.django_db(transaction=True)
def test_an_event_is_reported_although_the_row_of_its_stream_could_not_be_written(
    transmitter: Transmitter, stream: ReceivedStream, received: list[Any]
) -> None:
    token = transmitter.event()

    def refuse(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("UPDATE") and ReceivedStream._meta.db_table in sql:
            raise OperationalError("the disk is full")
        return execute(sql, *arguments)

    with connection.execute_wrapper(refuse):
        assert push(token).status_code == 503

    assert push(token).status_code == 202
    assert received
    stream.refresh_from_db()
    assert stream.count == 1


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize("error", [OperationalError("down"), InterfaceError("down"), IntrospectionUnavailable("down")])
def test_an_event_comes_again_if_a_receiver_of_the_signal_meets_an_outage(
    error: Exception, transmitter: Transmitter, received: list[Any]
) -> None:
    token, errors = transmitter.event(), [error]

    def revoke(**said: Any) -> None:
        if errors:
            raise errors.pop()

    security_event_received.connect(revoke)
    try:
        assert push(token).status_code == 503
        assert not is_active(transmitter), "the cut-off is there before the receivers are called"
        assert len(received) == 1, "the other receivers are called"
        assert push(token).status_code == 202
        assert len(received) == 2
        assert push(token).status_code == 202
        assert len(received) == 2
    finally:
        security_event_received.disconnect(revoke)


@pytest.mark.usefixtures("stream")
def test_a_mistake_in_a_receiver_of_the_signal_is_logged_and_the_event_does_not_come_again(
    transmitter: Transmitter, caplog: pytest.LogCaptureFixture
) -> None:
    def revoke(**said: Any) -> None:
        raise KeyError("a mistake")

    security_event_received.connect(revoke)
    try:
        assert push(transmitter.event()).status_code == 202
    finally:
        security_event_received.disconnect(revoke)
    assert "a mistake" in caplog.text


@pytest.mark.parametrize("status", ["a\0b", "made up", 7, None, ["paused"], {"paused": 1}, "x" * 1000])
def test_a_status_that_the_framework_does_not_have_is_recorded_as_none(
    status: Any, transmitter: Transmitter, stream: ReceivedStream, received: list[Any]
) -> None:
    """OpenID Shared Signals Framework 1.0 §8.1.5 has three; a database may refuse other values."""
    push(transmitter.event(f"{SSF}stream-updated", {"status": "paused"}))

    assert push(transmitter.event(f"{SSF}stream-updated", {"status": status})).status_code == 202

    stream.refresh_from_db()
    assert (stream.status, len(received)) == ("", 2)


@pytest.mark.usefixtures("stream")
def test_an_event_is_no_access_token(transmitter: Transmitter, settings: Any) -> None:
    claims = transmitter.claims(aud="https://api.example.com/orders", sub="alice", exp=int(time.time()) + 60)
    claims |= {"client_id": "app", "scope": "orders:read"}

    for strict in (True, False):
        entry = jwt_settings(transmitter.issuer, cut_offs=True, require_at_jwt=strict)
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "BACKENDS": {"default": entry}}
        for typ in ("secevent+jwt", "logout+jwt", "JWT", None):
            assert introspect(transmitter.signed(claims, header={"typ": typ})) is None


@pytest.mark.parametrize("method", ["get", "put", "delete", "head", "options"])
def test_other_methods_are_refused(method: str, db: None) -> None:
    response = getattr(Browser(), method)("/events/")

    assert (response.status_code, response["Allow"]) == (405, "POST")


def test_a_login_is_not_required(transmitter: Transmitter, settings: Any) -> None:
    transmitter.stream()
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]

    assert push(transmitter.event()).status_code == 202


def test_the_row_of_a_stream_shows_the_last_event_and_its_delay(
    transmitter: Transmitter, stream: ReceivedStream
) -> None:
    push(transmitter.event(f"{SSF}verification", {"state": "abc"}, iat=int(time.time()) - 10))
    push(transmitter.event(f"{SSF}stream-updated", {"status": "paused"}, iat=int(time.time()) - 10))

    stream.refresh_from_db()
    assert stream.count == 2
    assert stream.last_event_at is not None
    assert stream.last_verified_at is not None
    assert time.time() - stream.last_event_at < 60
    assert stream.last_delay is not None
    assert 10 <= stream.last_delay < 60
    assert stream.status == "paused"


def test_the_signal_names_the_tokens_that_have_ended(
    transmitter: Transmitter, stream: ReceivedStream, received: list[dict[str, Any]]
) -> None:
    push(transmitter.event(f"{CAEP}session-revoked", {"event_timestamp": 1_700_000_000}))

    [said] = received
    assert said["stream"] == stream
    assert said["targets"] == (("sub", "alice"),)
    assert said["moment"] == 1_700_000_000
    assert said["subject"] == transmitter.iss_sub()


@pytest.mark.usefixtures("stream")
def test_an_event_costs_a_bounded_number_of_statements_and_calls(
    transmitter: Transmitter,
    settings: Any,
    django_assert_max_num_queries: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:
    push(transmitter.event())
    settings.CACHES = {"default": {**test_caches.counting(), "KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"]}}
    token = transmitter.event(sub_id=transmitter.iss_sub("bob"))
    test_caches.CALLS.clear()

    with django_assert_max_num_queries(11), django_capture_on_commit_callbacks(execute=True):
        assert push(token).status_code == 202

    assert test_caches.CALLS == ["get", "set_many", "set_many"]


def test_the_log_shows_no_token_and_no_subject(
    transmitter: Transmitter, stream: ReceivedStream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = transmitter.event(sub_id={"format": "email", "email": "alice@example.com"})

    push(token)

    assert f"the stream {stream.pk} is refused: invalid_request" in caplog.text
    assert token.split(".")[1] not in caplog.text
    assert "alice@" not in caplog.text
