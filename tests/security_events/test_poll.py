"""Events that are polled (RFC 8936): each is acknowledged after its effect, and refused ones are named."""

from __future__ import annotations

import json
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from django_introspection import introspect
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.security_events.management.commands import introspection_events
from django_introspection.security_events.models import CutOff, ReceivedStream
from django_introspection.security_events.polling import Polled, poll
from tests.backends.issuers import access_token
from tests.misbehaving.behaviours import Exchange, behaviour
from tests.security_events.transmitter import SSF, Transmitter

POLL = "/poll"
SECRET = "Bearer secret-of-the-stream"


@behaviour("answers in turn")
def answers_in_turn(exchange: Exchange, replies: list[Any]) -> None:
    """Give the next of some answers to each request, and no events when there is none."""
    exchange.json(replies.pop(0) if replies else {"sets": {}})


@pytest.fixture
def stream(transmitter: Transmitter, monkeypatch: pytest.MonkeyPatch) -> ReceivedStream:
    monkeypatch.setenv("SECURITY_EVENTS_TEST", SECRET)
    url = f"{transmitter.issuer}{POLL}"
    return transmitter.stream(delivery="poll", poll_url=url, authorization={"ENV": "SECURITY_EVENTS_TEST"})


def offer(transmitter: Transmitter, *replies: Any, at: str = POLL) -> None:
    """Answer with some replies, and to the acknowledgement of each with no events."""
    answers = [answer for reply in replies for answer in (reply, {"sets": {}})]
    transmitter.server.behave("answers in turn", at=at, replies=answers)


def named(*tokens: str) -> dict[str, str]:
    from tests import jose

    return {jose.read(token)[1]["jti"]: token for token in tokens}


def asked(transmitter: Transmitter) -> list[dict[str, Any]]:
    requests = transmitter.server.requests_at(POLL)
    assert all(request.headers["Authorization"] == SECRET for request in requests)
    assert all(request.headers["Content-Type"] == "application/json" for request in requests)
    return [json.loads(request.body) for request in requests]


def is_active(transmitter: Transmitter, **claims: Any) -> bool:
    return introspect(access_token(transmitter.issuer, **{"iat": int(time.time()) - 5, **claims})) is not None


def test_polled_events_end_tokens_and_are_acknowledged(transmitter: Transmitter, stream: ReceivedStream) -> None:
    first, second = transmitter.event(), transmitter.event(sub_id=transmitter.iss_sub("bob"))
    offer(transmitter, {"sets": named(first), "moreAvailable": True}, {"sets": named(second)})

    assert poll(stream) == Polled(received=1, has_more=True)
    assert poll(stream) == Polled(received=1)

    assert not is_active(transmitter)
    assert not is_active(transmitter, sub="bob")
    assert asked(transmitter) == [
        {"maxEvents": 20, "returnImmediately": True},
        {"maxEvents": 0, "returnImmediately": True, "ack": ["event-1"]},
        {"maxEvents": 20, "returnImmediately": True},
        {"maxEvents": 0, "returnImmediately": True, "ack": ["event-2"]},
    ]


def test_an_empty_answer_costs_one_request(transmitter: Transmitter, stream: ReceivedStream) -> None:
    offer(transmitter)

    assert poll(stream, wait=True) == Polled()

    assert asked(transmitter) == [{"maxEvents": 20, "returnImmediately": False}]


def test_a_wrong_event_is_refused_by_name_and_the_others_count(
    transmitter: Transmitter, stream: ReceivedStream
) -> None:
    event = transmitter.event
    sets = {
        **named(event(), event(iss="https://other.example"), event(aud="x"), event(key="stranger"), event(exp=1)),
        "event-6": event(jti="another"),
        "event-7": 7,
        "event-8": access_token(transmitter.issuer, aud=stream.audience, jti="event-8"),
    }
    offer(transmitter, {"sets": sets})

    assert poll(stream) == Polled(received=1, refused=7)

    last = asked(transmitter)[-1]
    assert last["ack"] == ["event-1"]
    assert {jti: error["err"] for jti, error in last["setErrs"].items()} == {
        "event-2": "invalid_issuer",
        "event-3": "invalid_audience",
        "event-4": "invalid_key",
        "event-5": "invalid_request",
        "event-6": "invalid_request",
        "event-7": "invalid_request",
        "event-8": "invalid_request",
    }


def test_an_event_without_effect_is_neither_acknowledged_nor_refused(
    transmitter: Transmitter, stream: ReceivedStream, settings: Any
) -> None:
    verification = transmitter.event(f"{SSF}verification", {"state": "a"})
    revoked = transmitter.event()
    offer(transmitter, {"sets": named(verification, revoked)})
    values = settings.TOKEN_INTROSPECTION
    settings.CACHES = {**settings.CACHES, "revocations": {"BACKEND": "tests.caches.BrokenCache"}}
    settings.TOKEN_INTROSPECTION = {**values, "REVOCATIONS": {"TOMBSTONES": False, "ALIAS": "revocations"}}

    with pytest.raises(IntrospectionUnavailable):
        poll(stream)

    assert asked(transmitter)[1:] == [{"maxEvents": 0, "returnImmediately": True, "ack": ["event-1"]}]
    settings.TOKEN_INTROSPECTION = values
    offer(transmitter, {"sets": named(revoked)})
    assert poll(stream) == Polled(received=1)
    assert not is_active(transmitter)


def test_an_event_whose_acknowledgement_was_lost_is_acknowledged_again(
    transmitter: Transmitter, stream: ReceivedStream, received: list[Any]
) -> None:
    token = transmitter.event()
    for _ in range(2):
        offer(transmitter, {"sets": named(token)})
        assert poll(stream) == Polled(received=1)

    assert len(received) == 1


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("status", {"code": 401}),
        ("status", {"code": 500}),
        ("body", {"content": b"hello"}),
        ("body", {"content": b"[]"}),
        ("json", {"sets": []}),
        ("body", {"content": b'{"sets": {}, "sets": {}}'}),
        ("body", {"content": b" " * 2_000_000}),
    ],
)
def test_a_transmitter_that_misbehaves_is_an_outage_that_the_row_shows(
    name: str, arguments: Any, transmitter: Transmitter, stream: ReceivedStream
) -> None:
    transmitter.server.behave(name, at=POLL, **arguments)

    with pytest.raises(IntrospectionUnavailable):
        poll(stream)

    stream.refresh_from_db()
    assert stream.failures == 1
    assert stream.last_failure
    assert SECRET not in stream.last_failure


def test_a_transmitter_that_promises_more_and_sends_nothing_is_not_asked_again_at_once(
    transmitter: Transmitter, stream: ReceivedStream
) -> None:
    offer(transmitter, {"sets": {}, "moreAvailable": True})

    assert poll(stream) == Polled()


def command_output(*arguments: str) -> Any:
    output = StringIO()
    call_command("introspection_events", *arguments, "--json", stdout=output, stderr=StringIO())
    return json.loads(output.getvalue())


def test_a_transmitter_without_end_holds_no_process(
    transmitter: Transmitter, stream: ReceivedStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection_events, "MOST_ROUNDS", 3)
    offer(transmitter, *({"sets": named(transmitter.event()), "moreAvailable": True} for _ in range(9)))

    assert command_output("poll")["received"] == 3


@pytest.mark.django_db(transaction=True)
def test_the_service_pauses_only_when_no_transmitter_has_more(
    transmitter: Transmitter, stream: ReceivedStream, received: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(transmitter, *({"sets": named(transmitter.event()), "moreAvailable": number < 3} for number in range(4)))

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(introspection_events.time, "sleep", stop)

    with pytest.raises(KeyboardInterrupt):
        call_command("introspection_events", "poll", "--forever")

    assert len(received) == 4


def test_a_transmitter_with_many_events_does_not_keep_the_others_from_their_turn(
    transmitter: Transmitter, stream: ReceivedStream, received: list[dict[str, Any]]
) -> None:
    second = transmitter.stream(
        audience="second", delivery="poll", poll_url=f"{transmitter.issuer}/second", authorization=stream.authorization
    )
    offer(transmitter, *({"sets": named(transmitter.event()), "moreAvailable": number < 3} for number in range(4)))
    offer(transmitter, {"sets": named(transmitter.event(aud="second"))}, at="/second")

    assert command_output("poll") == {"received": 5, "refused": 0, "failed_streams": 0}

    assert [said["stream"] for said in received] == [stream, second, stream, stream, stream]
    assert len(transmitter.server.requests_at("/second")) == 2, "events and their acknowledgement"


@pytest.mark.parametrize("url", ["http://id.example/poll", "https://127.0.0.1/poll", "https://localhost/poll"])
def test_no_event_is_polled_from_an_address_inside(
    url: str, transmitter: Transmitter, stream: ReceivedStream, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "JWKS_HOSTS": []}
    stream.poll_url = url

    with pytest.raises(IntrospectionUnavailable, match="is not one that events"):
        poll(stream)


@pytest.mark.parametrize("secret", [None, "two\nlines", "é"])
def test_no_request_is_sent_without_a_usable_secret(
    secret: str | None, transmitter: Transmitter, stream: ReceivedStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    if secret is None:
        monkeypatch.delenv("SECURITY_EVENTS_TEST")
    else:
        monkeypatch.setenv("SECURITY_EVENTS_TEST", secret)

    with pytest.raises(IntrospectionUnavailable, match="authorization"):
        poll(stream)

    assert transmitter.server.requests_at(POLL) == []


def test_a_row_sends_no_other_secret_of_the_project(
    transmitter: Transmitter, stream: ReceivedStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fixture or an import writes rows that no form has checked."""
    monkeypatch.setenv("DATABASE_PASSWORD", SECRET)
    stream.authorization = {"ENV": "DATABASE_PASSWORD"}

    with pytest.raises(IntrospectionUnavailable, match="begins with SECURITY_EVENTS_"):
        poll(stream)

    assert transmitter.server.requests_at(POLL) == []


def test_the_command_polls_every_stream_and_goes_on_after_a_failure(
    transmitter: Transmitter, stream: ReceivedStream
) -> None:
    transmitter.stream(audience="first", delivery="poll", poll_url="https://localhost:1/poll")
    offer(transmitter, {"sets": named(transmitter.event())})
    output = StringIO()

    with pytest.raises(CommandError):
        call_command("introspection_events", "poll", "--json", stdout=output, stderr=StringIO())

    assert json.loads(output.getvalue()) == {"received": 1, "refused": 0, "failed_streams": 1}
    assert CutOff.objects.count() == 1
