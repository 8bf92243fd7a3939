"""The keys of clients from their `jwks_uri`, on servers that are well, down, slow and hostile."""

from __future__ import annotations

import json
import os
import socket
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine

from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.outbound import jwks
from django_introspection.outbound.deadline import deadline
from django_introspection.outbound.jwks import KeySet, RemoteKeySets
from django_introspection.outbound.messages import Reply
from django_introspection.outbound.steps import run
from django_introspection.protocol.identifiers import is_public
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import assert_refused
from tests.misbehaving.behaviours import HANGING
from tests.misbehaving.server import MisbehavingServer, refusing_url
from tests.outbound import renewals
from tests.settings import TOKEN_INTROSPECTION

START = datetime(2030, 1, 1, tzinfo=UTC)
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture(autouse=True)
def _loopback_is_trusted(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "JWKS_HOSTS": ["127.0.0.1"]}


def key_set(*names: str) -> bytes:
    """Return a set of ES256 keys, each called by its name."""
    return json.dumps({"keys": [jose.public("ES256", name, kid=name) for name in names]}).encode()


@pytest.fixture
def server() -> Any:
    with MisbehavingServer("body", content=key_set("a")) as running:
        yield running


@pytest.fixture
def sets() -> RemoteKeySets:
    return RemoteKeySets()


def kids(sets: RemoteKeySets, url: str, kid: str | None = "a") -> list[str | None]:
    return [key.kid for key in sets.keys(url, kid=kid)]


def test_keys_are_fetched_once_and_again_when_they_are_old(server: MisbehavingServer, sets: RemoteKeySets) -> None:
    with time_machine.travel(START, tick=False) as clock:
        for second in (0, 1, jwks.FRESH - 1):
            clock.move_to(START + timedelta(seconds=second))
            assert kids(sets, server.url) == ["a"]
        assert len(server.requests) == 1

        told = threading.Event()
        server.behave("sends a body when told", told=told, content=key_set("b"))
        clock.move_to(START + timedelta(seconds=jwks.FRESH))
        assert kids(sets, server.url) == ["a"], "the kept set serves while a new one is fetched"
        told.set()
        renewals.finish()
        assert kids(sets, server.url, "b") == ["b"]
        assert len(server.requests) == 2
    assert {request.method for request in server.requests} == {"GET"}


@pytest.mark.requirement("7517-P")
def test_an_unknown_kid_causes_one_fetch_and_the_next_one_waits(server: MisbehavingServer, sets: RemoteKeySets) -> None:
    with time_machine.travel(START, tick=False) as clock:
        kids(sets, server.url)
        server.behave("body", content=key_set("a", "b"))

        assert kids(sets, server.url, "b") == ["a", "b"]
        assert len(server.requests) == 2
        clock.shift(timedelta(seconds=1))
        for kid in ("c", "d", "e"):
            with pytest.raises(IntrospectionUnavailable) as raised:
                kids(sets, server.url, kid)
            assert raised.value.retry_after == jwks.REPLACE_EVERY - 1
        assert len(server.requests) == 2
        clock.shift(timedelta(seconds=jwks.REPLACE_EVERY))
        assert kids(sets, server.url, "c") == ["a", "b"]
        assert len(server.requests) == 3


@pytest.mark.requirement("7517-P")
def test_a_set_without_names_is_for_tokens_with_any_and_is_not_fetched_for_each(
    server: MisbehavingServer, sets: RemoteKeySets
) -> None:
    server.behave("body", content=json.dumps({"keys": [jose.public("ES256", "a")]}).encode())

    assert [kids(sets, server.url, kid) for kid in (None, "a", "b", "c")] == [[None]] * 4
    assert len(server.requests) == 1


@pytest.mark.requirement("7517-P")
def test_while_it_fails_the_last_good_set_serves_and_not_for_ever(
    server: MisbehavingServer, sets: RemoteKeySets
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        kids(sets, server.url)
        server.behave("status", code=500)
        clock.move_to(START + timedelta(seconds=jwks.USABLE_FOR - 1))
        for _ in range(3):
            assert kids(sets, server.url) == ["a"]
            renewals.finish()
        assert len(server.requests) == 2, "a failure is followed by a pause"

        clock.shift(timedelta(seconds=1))
        with pytest.raises(IntrospectionUnavailable):
            kids(sets, server.url)


def test_a_clock_that_was_set_back_makes_nothing_live_longer(server: MisbehavingServer, sets: RemoteKeySets) -> None:
    with time_machine.travel(START, tick=False) as clock:
        kids(sets, server.url)
        server.behave("status", code=500)
        clock.shift(timedelta(days=-1))

        with pytest.raises(IntrospectionUnavailable):
            kids(sets, server.url)


BROKEN: dict[str, Any] = {
    "not JSON": ("body", {"content": b"<html>"}),
    "a list": ("body", {"content": b"[]"}),
    "no keys": ("body", {"content": b"{}"}),
    "keys twice": ("body", {"content": b'{"keys": [], "keys": []}'}),
    "too many keys": ("body", {"content": json.dumps({"keys": [{}] * 257}).encode()}),
    "large": ("body", {"content": key_set("a") + b" " * jwks.MAX_SET}),
    "huge": ("chunked body without an end", {}),
    "an error": ("status", {"code": 500, "content": key_set("a")}),
    "not found": ("status", {"code": 404, "content": key_set("a")}),
    "no content": ("status", {"code": 204, "content": b""}),
    "encoded": ("status", {"code": 200, "content": key_set("a"), "headers": ("Content-Encoding: gzip",)}),
    "cut short": ("body shorter than its length", {}),
    "reset": ("resets before the answer", {}),
    "not HTTP": ("not HTTP", {}),
}


@pytest.mark.requirement("7517-P")
@pytest.mark.parametrize(("behaviour", "arguments"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_set_of_keys_is_a_failure(
    server: MisbehavingServer, sets: RemoteKeySets, behaviour: str, arguments: dict[str, Any]
) -> None:
    server.behave(behaviour, **arguments)

    with pytest.raises(IntrospectionUnavailable):
        kids(sets, server.url)


@pytest.mark.requirement("7517-P")
@pytest.mark.parametrize("behaviour", HANGING)
def test_a_slow_server_is_waited_for_no_longer_than_the_timeout(
    server: MisbehavingServer, sets: RemoteKeySets, behaviour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "TIMEOUT", 0.3)
    server.behave(behaviour)

    with pytest.raises(IntrospectionUnavailable):
        kids(sets, server.url)


@pytest.mark.requirement("7517-P")
def test_a_redirect_is_a_failure_and_is_not_followed(server: MisbehavingServer, sets: RemoteKeySets) -> None:
    with MisbehavingServer("body", content=key_set("a")) as elsewhere:
        server.behave("status", code=302, headers=(f"Location: {elsewhere.url}",))

        with pytest.raises(IntrospectionUnavailable):
            kids(sets, server.url)
        assert elsewhere.connections == 0


def test_a_server_that_is_down_is_a_failure(sets: RemoteKeySets) -> None:
    with refusing_url() as url, pytest.raises(IntrospectionUnavailable):
        kids(sets, url)


@pytest.mark.requirement("7517-5-b")
def test_keys_that_we_cannot_use_are_left_out(server: MisbehavingServer, sets: RemoteKeySets) -> None:
    good = jose.public("ES256", kid="a")
    bad = [{"kty": "AKP"}, {"kty": "RSA"}, jose.public("RS256", use="enc"), jose.private("EdDSA"), 7]
    server.behave("body", content=json.dumps({"keys": [*bad, good]}).encode())

    assert kids(sets, server.url) == ["a"]


def test_callers_at_once_share_one_fetch(server: MisbehavingServer, sets: RemoteKeySets) -> None:
    start, found = threading.Barrier(8), []

    def call() -> None:
        start.wait()
        found.append(kids(sets, server.url))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [["a"]] * 8
    assert len(server.requests) == 1


def test_who_comes_late_to_a_fetch_finds_the_work_done(server: MisbehavingServer) -> None:
    keys = KeySet(partial(jwks.fetch, server.url))
    late = next(keys.keys("a"))

    with deadline(5):
        run(keys.keys("a"))
        late.run()

    assert len(server.requests) == 1


def test_the_sets_that_are_kept_are_bounded(
    server: MisbehavingServer, sets: RemoteKeySets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "MAX_SETS", 2)
    for name in ("one", "two", "one", "three", "one", "two"):
        kids(sets, f"{server.url}/{name}")

    assert [request.path.rpartition("/")[2] for request in server.requests] == ["one", "two", "three", "two"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::]", "0"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_host_that_is_not_listed_is_never_reached_inside_the_own_network(
    server: MisbehavingServer, sets: RemoteKeySets, settings: Any, scheme: str, host: str
) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "JWKS_HOSTS": ["keys.example.com"]}
    port = server.url.rpartition(":")[2]

    with pytest.raises(IntrospectionUnavailable):
        kids(sets, f"{scheme}://{host}:{port}")
    assert server.connections == 0


def test_a_host_is_trusted_by_its_name_in_any_case(
    server: MisbehavingServer, sets: RemoteKeySets, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "JWKS_HOSTS": ["LocalHost"]}

    assert kids(sets, server.origin.replace("127.0.0.1", "LOCALHOST")) == ["a"]


def test_a_name_is_judged_by_the_address_that_is_connected_to(
    server: MisbehavingServer, sets: RemoteKeySets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that says whatever it likes: it is asked once, and its answer is judged before it is used."""
    resolve, asked = socket.getaddrinfo, []

    def rebinding(host: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        return resolve("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    port = server.url.rpartition(":")[2]

    with pytest.raises(IntrospectionUnavailable):
        kids(sets, f"https://keys.example.com:{port}")
    assert asked == ["keys.example.com"]
    assert server.connections == 0


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("64:ff9b::5db8:d70e", True),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - an address to refuse
        ("224.0.0.1", False),
        ("239.255.255.250", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
        ("keys.example.com", False),
        ("", False),
    ],
)
def test_an_address_is_public_only_where_every_address_in_it_is(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.fixture
def shop(db: None, server: MisbehavingServer) -> Any:
    jwks.remote_key_sets.forget()
    return factories.RegistrationFactory(token_endpoint_auth_method="private_key_jwt", jwks_uri=server.url).client


def ask_for_token(client: Any, name: str = "a") -> Any:
    value = jose.assertion(client.client_id, name=name, header={"kid": name})
    return endpoints.post("/oauth/token", {**GRANT, **jose.asserting(value)})


@pytest.mark.requirement("7517-P")
def test_a_client_authenticates_by_keys_that_are_fetched_and_changes_them_alone(
    shop: Any, server: MisbehavingServer
) -> None:
    assert ask_for_token(shop).status_code == 200
    server.behave("body", content=key_set("b"))

    assert ask_for_token(shop, "b").status_code == 200
    assert_refused(ask_for_token(shop, "a"), 503, "temporarily_unavailable")
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=jwks.REPLACE_EVERY)):
        assert_refused(ask_for_token(shop, "a"), 401, "invalid_client")
    assert len(server.requests) == 3


@pytest.mark.requirement("7517-P")
def test_while_its_keys_cannot_be_fetched_a_client_is_answered_503(shop: Any, server: MisbehavingServer) -> None:
    server.behave("status", code=500)

    response = ask_for_token(shop)

    assert_refused(response, 503, "temporarily_unavailable")
    assert "Retry-After" in response


def test_guesses_in_the_name_of_a_client_with_keys_at_a_url_are_counted_as_others(
    shop: Any, settings: Any, server: MisbehavingServer
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "THROTTLE": {"FAILURES": 3, "PERIOD": 3600}}
    assert ask_for_token(shop).status_code == 200

    statuses = [ask_for_token(shop, "guess").status_code for _ in range(6)]

    assert statuses == [401, 503, 503, 429, 429, 429], "the first guess causes a fetch"
    assert ask_for_token(shop).status_code == 200, "the right key always counts"


def test_a_client_that_is_not_of_this_method_causes_no_fetch(server: MisbehavingServer, machine: Any) -> None:
    machine.client.jwks_uri = server.url
    machine.client.save()

    assert ask_for_token(machine.client).status_code == 401
    assert server.connections == 0


@pytest.mark.parametrize(
    "alg", ["RSA-OAEP", "RSA1_5", "ECDH-ES+A128KW", "A128KW", "A128GCMKW", "A256KW", "PBES2-HS256+A128KW", "dir"]
)
def test_a_key_that_encrypts_is_for_no_signing_algorithm(alg: str) -> None:
    """A key set of another server names what it signs with; RFC 7518 §4.1 has the names of those that encrypt."""
    entries = [{**jose.public("RS256"), "alg": alg}, {**jose.public("ES256"), "alg": "ES256"}]
    reply = Reply(200, {}, json.dumps({"keys": entries}).encode(), "id.example.com")

    assert jwks.signing_algorithms(reply) == {"ES256"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # the child ends at once
def test_a_child_process_waits_for_no_lock_of_its_parent(server: MisbehavingServer) -> None:
    jwks.remote_key_sets.keys(server.url, kid="a")
    with jwks.remote_key_sets._lock:  # as another thread of the parent may hold it
        child = os.fork()
        if child == 0:
            is_new = jwks.remote_key_sets._lock.acquire(blocking=False) and not jwks.remote_key_sets._sets
            os._exit(0 if is_new else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
