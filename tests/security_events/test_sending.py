"""Every token that this server ends becomes an event, which its receivers get whatever happens meanwhile."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from django_introspection.authorization_server.revoking import revoke_token, revoke_user_tokens
from django_introspection.cut_offs import is_cut_off
from django_introspection.models import Token
from django_introspection.protocol.token_info import TokenInfo
from django_introspection.security_events import delivering
from django_introspection.security_events.delivering import Delivered, deliver, waiting
from django_introspection.security_events.management.commands import introspection_events
from django_introspection.security_events.models import CutOff, ReceivedStream, SentEvent, SentStream
from django_introspection.security_events.outbox import purge_events
from django_introspection.security_events.restoring import restore_cut_offs
from django_introspection.security_events.sending import checks as sending_checks
from django_introspection.security_events.sending import recording
from tests import endpoints, factories, jose
from tests.misbehaving.server import MisbehavingServer
from tests.security_events.transmitter import CAEP, SSF
from tests.settings import ISSUER, TOKEN_INTROSPECTION

EVENTS = "/receiver/events"
SECRET = "Bearer secret-of-the-receiver"
SESSION_REVOKED = f"{CAEP}session-revoked"


@pytest.fixture(autouse=True)
def _sending(settings: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    keys = [{"KEY": jose.pem("ES256"), "KID": "one"}]
    settings.TOKEN_INTROSPECTION = {
        **TOKEN_INTROSPECTION,
        "SIGNING_KEYS": keys,
        "REVOCATIONS": {},
        "JWKS_HOSTS": ["127.0.0.1", "localhost"],
    }
    monkeypatch.setenv("SECURITY_EVENTS_TEST", SECRET)
    recording.connect()
    recording.connect()
    yield
    recording.disconnect()


@pytest.fixture
def receiver() -> Iterator[MisbehavingServer]:
    with MisbehavingServer("status", code=202) as server:
        yield server


def stream_to(server: MisbehavingServer, **values: Any) -> SentStream:
    members = {"audience": "shop", "endpoint_url": f"{server.origin}{EVENTS}", **values}
    return SentStream.objects.create(**members)


def got(server: MisbehavingServer) -> list[dict[str, Any]]:
    """Return the claims that a receiver got, whose signatures joserfc verifies."""
    from joserfc import jwt

    tokens = [request.body.decode() for request in server.requests_at(EVENTS)]
    decoded = [jwt.decode(token, jose.key("ES256"), algorithms=["ES256"]) for token in tokens]
    assert all(token.header == {"typ": "secevent+jwt", "alg": "ES256", "kid": "one"} for token in decoded)
    return [token.claims for token in decoded]


def test_a_revoked_token_becomes_a_signed_event(receiver: MisbehavingServer) -> None:
    stream = stream_to(receiver, authorization={"ENV": "SECURITY_EVENTS_TEST"})
    token = factories.TokenFactory().token

    revoke_token(token, by=None)
    assert deliver() == Delivered(delivered=1)

    [claims] = got(receiver)
    now = time.time()
    assert claims.pop("iat") == pytest.approx(now, abs=60)
    assert claims["events"].pop(SESSION_REVOKED)["event_timestamp"] == pytest.approx(now, abs=60)
    assert claims.pop("jti")
    assert claims.pop("txn")
    assert claims == {
        "iss": ISSUER,
        "aud": "shop",
        "sub_id": {"format": "jwt_id", "iss": ISSUER, "jti": str(token.pk)},
        "events": {},
    }
    [request] = receiver.requests_at(EVENTS)
    assert request.headers["Content-Type"] == "application/secevent+jwt"
    assert request.headers["Authorization"] == SECRET
    stream.refresh_from_db()
    assert (stream.count, stream.failures, stream.next_try_at) == (1, 0, 0)
    assert deliver() == Delivered()


def endings() -> dict[str, Any]:
    """Return every way in which tokens end, as functions of a grant."""
    return {
        "revoked": lambda issued, user: revoke_token(issued.token, by=None),
        "revoked by its client": lambda issued, user: endpoints.post(
            "/oauth/revoke", {"token": issued.access_token}, auth=issued.registration
        ),
        "revoked with its user": lambda issued, user: revoke_user_tokens(user, by=None),
        "row deleted": lambda issued, user: issued.token.delete(),
        "rows deleted": lambda issued, user: Token.objects.filter(pk=issued.token.pk).delete(),
        "client deleted": lambda issued, user: issued.token.client.delete(),
        "user deleted": lambda issued, user: user.delete(),
        "client disabled": lambda issued, user: _disable(issued.token.client),
        "user disabled": lambda issued, user: _disable(user),
    }


def _disable(owner: Any) -> None:
    owner.is_active = False
    owner.save()


class Issued:
    def __init__(self, user: Any) -> None:
        self.registration = factories.RegistrationFactory()
        issued = factories.TokenFactory(client=self.registration.client, user=user)
        self.token, self.access_token = issued.token, issued.access_token


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", endings())
def test_every_way_of_ending_becomes_one_event(way: str, user: Any, receiver: MisbehavingServer) -> None:
    stream_to(receiver)
    issued = Issued(user)
    jti = str(issued.token.pk)

    endings()[way](issued, user)

    assert [event.claims["sub_id"]["jti"] for event in SentEvent.objects.all()] == [jti]
    assert deliver() == Delivered(delivered=1)


def test_a_token_that_is_active_again_before_its_event_went_out_has_none(
    user: Any, receiver: MisbehavingServer, django_capture_on_commit_callbacks: Any
) -> None:
    stream_to(receiver)
    factories.TokenFactory(user=user)
    with django_capture_on_commit_callbacks(execute=True):
        _disable(user)
    assert SentEvent.objects.count() == 1

    with django_capture_on_commit_callbacks(execute=True):
        user.is_active = True
        user.save()

    assert SentEvent.objects.count() == 0


def test_an_event_that_was_delivered_stays_recorded_when_its_token_is_active_again(
    user: Any, receiver: MisbehavingServer, django_capture_on_commit_callbacks: Any
) -> None:
    stream_to(receiver)
    factories.TokenFactory(user=user)
    with django_capture_on_commit_callbacks(execute=True):
        _disable(user)
    assert deliver() == Delivered(delivered=1)

    with django_capture_on_commit_callbacks(execute=True):
        user.is_active = True
        user.save()

    assert SentEvent.objects.filter(done_at__isnull=False).count() == 1


def test_a_stream_is_held_by_one_process_at_a_time(receiver: MisbehavingServer) -> None:
    """Also without a database that has several writers."""
    stream = stream_to(receiver)
    revoke_token(factories.TokenFactory().token, by=None)
    assert delivering._hold(stream)

    assert not delivering._hold(stream)
    assert deliver() == Delivered()
    assert got(receiver) == []


@pytest.mark.parametrize("tls", [False, True])
def test_an_event_goes_to_public_addresses_and_to_servers_whose_certificate_is_verified(
    tls: bool, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is public, and its resolver says what it likes."""
    resolve = socket.getaddrinfo

    def inside(host: Any, *args: Any, **kwargs: Any) -> Any:
        return resolve("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", inside)
    with MisbehavingServer("status", code=202, tls=True) as server:
        port = server.origin.rpartition(":")[2]
        trusted = ["shop.example.com"] if tls else []
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "JWKS_HOSTS": trusted}
        stream_to(server, endpoint_url=f"https://shop.example.com:{port}{EVENTS}")
        revoke_token(factories.TokenFactory().token, by=None)

        assert deliver() == Delivered(failed_streams=1)

        assert server.requests == []
        assert server.connections == 0 or tls


@pytest.mark.django_db(transaction=True)
def test_an_event_is_written_with_the_revocation_or_not_at_all(receiver: MisbehavingServer) -> None:
    stream_to(receiver)
    token = factories.TokenFactory().token

    with transaction.atomic():
        revoke_token(token, by=None)
        assert SentEvent.objects.count() == 1
        transaction.set_rollback(True)

    assert SentEvent.objects.count() == 0
    token.refresh_from_db()
    assert token.revoked_at is None


def test_an_event_is_written_although_the_cache_of_tombstones_is_down(
    receiver: MisbehavingServer, settings: Any
) -> None:
    stream_to(receiver)
    token = factories.TokenFactory().token
    settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}

    with pytest.raises(Exception, match="does not answer"):
        revoke_token(token, by=None)

    assert SentEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("status", {"code": 500}),
        ("status", {"code": 401}),
        ("status", {"code": 302, "headers": ("Location: https://other.example",)}),
        ("status", {"code": 400, "content": b'{"err": "authentication_failed"}'}),
        ("status", {"code": 400, "content": b"hello"}),
    ],
)
def test_a_receiver_that_fails_gets_the_event_after_a_pause(
    name: str, arguments: Any, receiver: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = stream_to(receiver)
    receiver.behave(name, **arguments)
    revoke_token(factories.TokenFactory().token, by=None)

    assert deliver() == Delivered(failed_streams=1)
    assert deliver() == Delivered(), "the pause is not over"

    stream.refresh_from_db()
    assert (stream.failures, stream.pause) == (1, 5)
    SentStream.objects.update(next_try_at=0)
    assert deliver() == Delivered(failed_streams=1)
    stream.refresh_from_db()
    assert stream.pause == 10

    receiver.behave("status", code=202)
    SentStream.objects.update(next_try_at=0)
    assert deliver() == Delivered(delivered=1)
    stream.refresh_from_db()
    assert (stream.pause, stream.next_try_at) == (0, 0)


def test_a_pause_is_bounded(receiver: MisbehavingServer) -> None:
    stream = stream_to(receiver, pause=3000)
    receiver.behave("status", code=500)
    revoke_token(factories.TokenFactory().token, by=None)

    deliver()

    stream.refresh_from_db()
    assert stream.pause == 3600


def test_an_event_that_a_receiver_refuses_for_good_is_not_sent_again(receiver: MisbehavingServer) -> None:
    stream = stream_to(receiver)
    receiver.behave("status", code=400, content=b'{"err": "invalid_request", "description": "no"}')
    revoke_token(factories.TokenFactory().token, by=None)

    assert deliver() == Delivered(refused=1)
    assert deliver() == Delivered()

    stream.refresh_from_db()
    assert stream.last_failure.endswith("answers 400 invalid_request")


def test_a_dead_receiver_delays_neither_a_revocation_nor_another_receiver(receiver: MisbehavingServer) -> None:
    dead = SentStream.objects.create(audience="dead", endpoint_url="http://127.0.0.1:1/events")
    stream_to(receiver)
    token = factories.TokenFactory().token

    revoke_token(token, by=None)

    assert receiver.requests == []
    assert deliver() == Delivered(delivered=1, failed_streams=1)
    assert waiting(dead).count() == 1


def events_for(stream: SentStream, count: int = 1) -> None:
    now = int(time.time())
    SentEvent.objects.bulk_create(
        SentEvent(stream=stream, name=uuid4().hex, claims={}, created_at=now, expires_at=now + 3600)
        for _ in range(count)
    )


def test_a_receiver_with_many_events_does_not_keep_the_others_from_their_turn(receiver: MisbehavingServer) -> None:
    busy, other = stream_to(receiver, audience="busy"), stream_to(receiver, audience="other")
    events_for(busy, 45)
    events_for(other, 25)

    assert deliver() == Delivered(delivered=70)

    order = [claims["aud"] for claims in got(receiver)]
    assert order == ["busy"] * 20 + ["other"] * 20 + ["busy"] * 20 + ["other"] * 5 + ["busy"] * 5


def test_one_round_pushes_one_batch_and_reports_that_more_is_left(receiver: MisbehavingServer) -> None:
    events_for(stream_to(receiver), 25)

    assert deliver(rounds=1) == Delivered(delivered=20, has_more=True)
    assert deliver(rounds=1) == Delivered(delivered=5)


@pytest.mark.django_db(transaction=True)
def test_the_service_pauses_only_when_no_event_waits(
    receiver: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    events_for(stream_to(receiver), 45)
    monkeypatch.setattr(introspection_events.time, "sleep", stop)

    with pytest.raises(KeyboardInterrupt):
        call_command("introspection_events", "deliver", "--forever")

    assert len(got(receiver)) == 45


def stop(seconds: float) -> None:
    """End a service in its first pause, as an operator does."""
    raise KeyboardInterrupt


def test_a_call_ends_after_some_rounds(receiver: MisbehavingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    events_for(stream_to(receiver), 50)
    monkeypatch.setattr(delivering, "MOST_ROUNDS", 2)

    assert deliver() == Delivered(delivered=40, has_more=True)


def test_a_stream_that_is_deleted_while_its_receiver_fails_does_not_end_the_command(
    receiver: MisbehavingServer,
) -> None:
    dead = SentStream.objects.create(audience="dead", endpoint_url="http://127.0.0.1:1/events")
    events_for(dead)
    events_for(stream_to(receiver))

    def delete_first(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("UPDATE") and "last_failure" in sql:
            SentStream.objects.filter(audience="dead").delete()
        return execute(sql, *arguments)

    with connection.execute_wrapper(delete_first):
        assert deliver() == Delivered(delivered=1, failed_streams=1)

    assert not SentStream.objects.filter(audience="dead").exists()


def test_an_event_of_an_expired_token_is_of_no_use_and_is_purged(receiver: MisbehavingServer) -> None:
    stream_to(receiver)
    revoke_token(factories.TokenFactory().token, by=None)
    SentEvent.objects.update(expires_at=int(time.time()) - 1)

    assert deliver() == Delivered()
    assert purge_events() == 1


def test_without_an_active_stream_nothing_is_written(
    receiver: MisbehavingServer, django_assert_num_queries: Any
) -> None:
    stream_to(receiver, is_active=False)

    revoke_token(factories.TokenFactory().token, by=None)

    assert not SentEvent.objects.exists()
    assert deliver() == Delivered()


@pytest.mark.usefixtures("database_url")
@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="one writer at a time")
def test_two_processes_at_once_send_an_event_once(receiver: MisbehavingServer) -> None:
    stream_to(receiver)
    for _ in range(5):
        revoke_token(factories.TokenFactory().token, by=None)
    barrier = threading.Barrier(4)

    def work() -> int:
        try:
            barrier.wait(10)
            return deliver().delivered
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        delivered = [future.result() for future in [pool.submit(work) for _ in range(4)]]

    assert sum(delivered) == 5
    assert len({claims["jti"] for claims in got(receiver)}) == len(receiver.requests_at(EVENTS)) == 5


def test_a_retired_key_signs_no_event(receiver: MisbehavingServer, settings: Any) -> None:
    stream = stream_to(receiver)
    revoke_token(factories.TokenFactory().token, by=None)
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "SIGNING_KEYS": []}

    assert deliver() == Delivered(failed_streams=1)

    stream.refresh_from_db()
    assert "SIGNING_KEYS" in stream.last_failure
    assert receiver.requests == []


def test_the_command_delivers_and_verifies(receiver: MisbehavingServer) -> None:
    stream, output = stream_to(receiver), StringIO()
    revoke_token(factories.TokenFactory().token, by=None)
    call_command("introspection_events", "deliver", "--json", stdout=output)
    assert json.loads(output.getvalue()) == {"delivered": 1, "refused": 0, "failed_streams": 0}

    output = StringIO()
    call_command("introspection_events", "verify", str(stream.pk), "--json", stdout=output)

    said = json.loads(output.getvalue())
    verification = got(receiver)[1]
    assert said["delivered"] == 1
    assert verification["events"] == {f"{SSF}verification": {"state": said["state"]}}
    assert verification["sub_id"] == {"format": "opaque", "id": str(stream.identifier)}


def test_a_verification_is_of_one_stream_and_fails_if_its_receiver_does(receiver: MisbehavingServer) -> None:
    output = StringIO()
    with MisbehavingServer("status", code=500) as failing:
        stream_to(receiver)
        broken = stream_to(failing)
        revoke_token(factories.TokenFactory().token, by=None)

        for _ in range(2):  # the second time, the stream is paused
            with pytest.raises(CommandError, match="has not taken"):
                call_command("introspection_events", "verify", str(broken.pk), "--json", stdout=output)

    assert receiver.requests == [], "the other stream is not delivered"
    assert [json.loads(line)["delivered"] for line in output.getvalue().splitlines()] == [0, 0]


def test_the_list_of_streams_counts_the_events_that_wait_in_one_statement(receiver: MisbehavingServer) -> None:
    browser = Browser()
    browser.force_login(factories.UserFactory(is_staff=True, is_superuser=True))
    stream = stream_to(receiver)
    address = "/admin/introspection_events/sentstream/"

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            page = browser.get(address).content.decode()
        assert re.findall(r'class="field-waiting">(\d+)<', page) == ["1"] * SentStream.objects.count()
        return len(captured)

    def add_events(to: SentStream) -> None:
        for name, expires_at, done_at in (("waits", 2**33, None), ("done", 2**33, 1), ("of no use", 1, None)):
            SentEvent.objects.create(
                stream=to, name=name, claims={}, created_at=1, expires_at=expires_at, done_at=done_at
            )

    add_events(stream)
    first = statements()
    for _ in range(5):
        add_events(stream_to(receiver))
    assert statements() == first
    assert browser.get(f"{address}{stream.pk}/change/").status_code == 200
    assert browser.get(f"{address}add/").status_code == 200


def test_the_command_says_that_a_receiver_failed(receiver: MisbehavingServer) -> None:
    stream_to(receiver)
    receiver.behave("status", code=500)
    revoke_token(factories.TokenFactory().token, by=None)

    with pytest.raises(CommandError, match="A receiver failed"):
        call_command("introspection_events", "deliver", stdout=StringIO())
    with pytest.raises(CommandError, match="no active sent stream"):
        call_command("introspection_events", "verify", "0", stdout=StringIO())


@pytest.mark.django_db(transaction=True)
def test_a_receiver_of_ours_ends_the_token_for_everyone(live_server: Any, settings: Any) -> None:
    restore_cut_offs()
    ReceivedStream.objects.create(issuer=ISSUER, audience="us", jwks_uri=f"{live_server.url}/oauth/jwks")
    SentStream.objects.create(audience="us", endpoint_url=f"{live_server.url}/events/")
    issued, other = factories.TokenFactory().token, factories.TokenFactory().token

    revoke_token(issued, by=None)
    assert deliver() == Delivered(delivered=1)

    now = int(time.time())
    assert is_cut_off(ISSUER, TokenInfo({"jti": str(issued.pk), "iat": now - 1}))
    assert not is_cut_off(ISSUER, TokenInfo({"jti": str(other.pk), "iat": now - 1}))
    assert CutOff.objects.get().kind == "jti"


class TestPolledByAReceiver:
    @pytest.fixture
    def stream(self) -> SentStream:
        return SentStream.objects.create(
            audience="shop", delivery="poll", authorization={"ENV": "SECURITY_EVENTS_TEST"}
        )

    @staticmethod
    def ask(stream: SentStream, body: Any, *, authorization: str | None = SECRET) -> Any:
        headers = {} if authorization is None else {"Authorization": authorization}
        text = body if isinstance(body, str) else json.dumps(body)
        path = f"/events/poll/{stream.identifier}"
        return Browser(enforce_csrf_checks=True).post(path, text, content_type="application/json", headers=headers)

    def test_a_receiver_gets_each_event_until_it_acknowledges_it(self, stream: SentStream) -> None:
        tokens = [factories.TokenFactory().token for _ in range(3)]
        for token in tokens:
            revoke_token(token, by=None)

        first = self.ask(stream, {"maxEvents": 2})
        again = self.ask(stream, {"maxEvents": 2}).json()["sets"]

        assert first["Cache-Control"] == "no-store"
        assert first.json()["moreAvailable"] is True
        assert first.json()["sets"].keys() == again.keys()
        jtis = [jose.read(token)[1]["sub_id"]["jti"] for token in again.values()]
        assert jtis == [str(token.pk) for token in tokens[:2]]
        rest = self.ask(stream, {"ack": list(again)}).json()
        assert (len(rest["sets"]), rest["moreAvailable"]) == (1, False)
        errors = {jti: {"err": "invalid_key", "description": "x"} for jti in rest["sets"]}
        assert self.ask(stream, {"setErrs": errors, "returnImmediately": False}).json()["sets"] == {}
        stream.refresh_from_db()
        assert (stream.count, stream.failures) == (3, 1)
        assert deliver() == Delivered()

    def test_an_acknowledgement_of_another_stream_has_no_effect(self, stream: SentStream) -> None:
        other = SentStream.objects.create(audience="b", delivery="poll", authorization={"ENV": "SECURITY_EVENTS_TEST"})
        revoke_token(factories.TokenFactory().token, by=None)
        names = list(self.ask(stream, {}).json()["sets"])

        self.ask(other, {"ack": names})

        assert list(self.ask(stream, {}).json()["sets"]) == names

    @pytest.mark.parametrize("header", [None, "", "Bearer another", "Bearer é"])
    def test_a_stranger_gets_nothing_and_acknowledges_nothing(self, header: str | None, stream: SentStream) -> None:
        revoke_token(factories.TokenFactory().token, by=None)
        names = [str(event.jti) for event in SentEvent.objects.all()]

        response = self.ask(stream, {"ack": names}, authorization=header)

        assert (response.status_code, response.content) == (401, b"")
        assert waiting(stream).count() == 1

    def test_a_stream_that_is_not_polled_or_not_active_is_refused_in_the_same_way(self, stream: SentStream) -> None:
        for changes in ({"is_active": False}, {"is_active": True, "delivery": "push"}, {"authorization": None}):
            SentStream.objects.update(**changes)
            assert self.ask(stream, {}).status_code == 401
        stream.delete()
        assert self.ask(stream, {}).status_code == 401

    def test_an_unknown_stream_and_a_wrong_authorization_have_the_same_answer(self, stream: SentStream) -> None:
        wrong = self.ask(stream, {}, authorization="Bearer another")
        stream.delete()
        unknown = self.ask(stream, {})

        assert unknown.content == wrong.content
        assert dict(unknown.items()) == dict(wrong.items())
        assert unknown.status_code == wrong.status_code == 401

    @pytest.mark.parametrize("header", [None, ""])
    def test_a_stream_without_a_secret_is_no_open_door(
        self, header: str | None, stream: SentStream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SECURITY_EVENTS_TEST", "")
        assert self.ask(stream, {}, authorization=header).status_code == 401

        SentStream.objects.update(authorization=None)
        assert self.ask(stream, {}, authorization=header).status_code == 401

    @pytest.mark.parametrize(
        "body",
        [
            *("hello", "[]", {"ack": "a"}, {"ack": [1]}, {"setErrs": []}, {"maxEvents": -1}, {"maxEvents": True}),
            *({"maxEvents": "2"}, {"ack": ["a"] * 1001}, "a" * 100_000, '{"ack": [], "ack": []}'),
        ],
    )
    def test_a_request_that_is_malformed_is_refused(self, body: Any, stream: SentStream) -> None:
        assert self.ask(stream, body).status_code == 400

    def test_unknown_names_are_ignored(self, stream: SentStream) -> None:
        assert self.ask(stream, {"ack": ["a"], "setErrs": {"b": "c"}, "more": 1}).json() == {
            "sets": {},
            "moreAvailable": False,
        }

    def test_a_secret_that_has_vanished_is_503(self, stream: SentStream, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SECURITY_EVENTS_TEST")

        assert self.ask(stream, {}).status_code == 503


def test_sending_without_an_issuer_or_keys_is_an_error(settings: Any) -> None:
    assert sending_checks.check_sending() == []

    settings.TOKEN_INTROSPECTION = {"ISSUER": ISSUER}
    assert [message.id for message in sending_checks.check_sending()] == ["introspection.E082"]


def test_sending_without_its_tables_is_an_error(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending_checks.apps, "is_installed", lambda name: False)

    assert [message.id for message in sending_checks.check_sending()] == ["introspection.E083"]


def test_the_app_registers_itself(settings: Any) -> None:
    recording.disconnect()
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django_introspection.security_events.sending"]

    from django_introspection import revocations

    assert recording._outbox in revocations.recorders
    registered = checks.registry.registry.registered_checks
    assert sending_checks.check_sending in registered
    registered.discard(sending_checks.check_sending)  # the other tests have no such app
