"""Answers that are kept: for how long, where, of whom, and what ends them (RFC 7662 §4)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.core.cache import cache, caches
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_introspection import aintrospect, introspect, revocations, token_backends
from django_introspection.backends import local_answers, outdated
from django_introspection.backends.cache import AnswerCache
from django_introspection.backends.options import CacheOptions
from django_introspection.conf import introspection_settings
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.models.fields import now
from django_introspection.outbound.threads import MAX_THREADS
from django_introspection.protocol.answer import Active, Inactive, Reason
from django_introspection.protocol.binding import ProvenKeys
from django_introspection.protocol.jwt import token_identity
from django_introspection.protocol.token_info import TokenInfo
from django_introspection.resource_server.acceptance import accept
from django_introspection.shared_caches import shared_cache
from django_introspection.signals import token_answered
from tests import caches as test_caches
from tests import jose
from tests.backends.revocable_token import RevocableToken
from tests.misbehaving.server import CERTIFICATE, MisbehavingServer, remote_settings
from tests.resource_server.protected import ask, assert_refused, assert_unavailable, protect

TOKEN = "some-token"
NOW = 1_900_000_000

CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])


@pytest.fixture
def keep(authorization_server: MisbehavingServer, settings: Any) -> Callable[..., None]:
    """Let the backend keep answers; the arguments are its CACHE."""

    def configure(*, place: Any = None, is_whole: bool = True, **options: Any) -> None:
        values = authorization_server.settings()
        values["BACKENDS"]["default"]["CACHE"] = options
        settings.TOKEN_INTROSPECTION = {**values, "REVOCATIONS": place}
        if is_whole and place is not None:
            revocations.set_markers()

    configure()
    return configure


@pytest.fixture
def counted(settings: Any) -> list[str]:
    """Count the round trips to the cache."""
    settings.CACHES = {"default": {**test_caches.counting(), "KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"]}}
    return test_caches.CALLS


@pytest.fixture
def fail(keep: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that lets some calls to the cache fail; without arguments none."""
    prefix = settings.CACHES["default"]["KEY_PREFIX"]
    settings.CACHES = {"default": {**test_caches.unreliable(), "KEY_PREFIX": prefix}}

    def let_fail(*names: str) -> None:
        monkeypatch.setattr(test_caches.UnreliableCache, "failing", frozenset(names))

    return let_fail


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def told() -> Any:
    """What `token_answered` said: sources."""
    sources: list[str] = []

    def receive(source: str, **_: Any) -> None:
        sources.append(source)

    token_answered.connect(receive)
    yield sources
    token_answered.disconnect(receive)


def forget_locally() -> None:
    """Empty the memory of the process, as a restart would."""
    token_backends["default"]._cache.local._places.clear()  # type: ignore[attr-defined] # RemoteBackend's own


@CALLS
@pytest.mark.usefixtures("keep")
def test_a_kept_answer_costs_one_round_trip_and_no_call(
    call: Any, authorization_server: MisbehavingServer, counted: list[str], told: list[str]
) -> None:
    assert call(TOKEN)
    assert counted == ["get_many", "set"]
    counted.clear()

    assert call(TOKEN) == introspect(TOKEN)

    assert counted == ["get_many"] * 2
    assert len(authorization_server.requests) == 1
    assert told == ["server", "cache", "cache"]


@CALLS
@pytest.mark.usefixtures("keep")
def test_an_inactive_answer_deletes_the_active_one_and_is_then_read_in_one_round_trip(
    call: Any, authorization_server: MisbehavingServer, counted: list[str]
) -> None:
    authorization_server.behave("inactive")

    assert call(TOKEN) is None
    assert call(TOKEN) is None

    assert counted == ["get_many", "delete_many", "set", "get_many"]


@pytest.mark.requirement("7662-4-l")
def test_without_cache_every_request_asks(
    authorization_server: MisbehavingServer, counted: list[str], told: list[str]
) -> None:
    for _ in range(3):
        introspect(TOKEN)

    assert len(authorization_server.requests) == 3
    assert counted == []
    assert told == ["server"] * 3


@pytest.mark.usefixtures("keep")
def test_a_tombstone_is_read_in_the_same_round_trip(keep: Any, counted: list[str]) -> None:
    keep(place={})
    introspect(TOKEN)
    counted.clear()

    introspect(TOKEN)

    assert counted == ["get_many"]


@CALLS
@pytest.mark.parametrize("alias", ["default", "tombs"])
def test_a_cache_that_lost_its_tombstones_makes_a_kept_answer_worthless(
    call: Any, alias: str, keep: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    own = settings.CACHES["default"]
    settings.CACHES = {**settings.CACHES, "tombs": {**own, "KEY_PREFIX": f"{own['KEY_PREFIX']}-tombs"}}
    keep(place={"ALIAS": alias}, STALE_IF_ERROR=600)
    for _ in range(2):
        assert call(TOKEN)
    assert len(authorization_server.requests) == 1

    revocations.remove_markers()

    assert call(TOKEN)
    assert len(authorization_server.requests) == 2
    authorization_server.behave("status 500")
    with pytest.raises(IntrospectionUnavailable):
        call(TOKEN)


@pytest.mark.usefixtures("keep")
def test_what_is_kept_grows_old(authorization_server: MisbehavingServer, clock: Any) -> None:
    introspect(TOKEN)
    clock.shift(59)
    introspect(TOKEN)
    assert len(authorization_server.requests) == 1

    clock.shift(1)
    introspect(TOKEN)

    assert len(authorization_server.requests) == 2


@pytest.mark.requirement("7662-4-k")
def test_a_kept_answer_is_not_used_beyond_the_life_of_its_token(
    keep: Any, authorization_server: MisbehavingServer, clock: Any
) -> None:
    keep(MAX_AGE=3600, STALE_IF_ERROR=3600, LOCAL_MAX_AGE=3600)
    authorization_server.behave("active", exp=NOW + 100)
    assert ask(protect(), TOKEN).status_code == 200
    clock.shift(99)
    assert ask(protect(), TOKEN).status_code == 200
    assert len(authorization_server.requests) == 1

    clock.shift(1)
    authorization_server.behave("inactive")
    assert_refused(ask(protect(), TOKEN), 401, "invalid_token")
    authorization_server.behave("status 500")
    view = protect()
    clock.shift(11)
    assert_unavailable(ask(view, TOKEN), view)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        pytest.param({"iss": "https://auth.example.com"}, {"iss": "https://other.example.com"}, id="issuer"),
        pytest.param({"aud": "https://api.example.com"}, {"aud": "https://other.example.com"}, id="audience"),
        pytest.param({}, {"cnf": {"jkt": "x"}}, id="binding"),
        pytest.param({}, {"nbf": NOW + 1000}, id="not before"),
    ],
)
def test_every_hit_is_judged_again(
    good: Any, bad: Any, keep: Any, authorization_server: MisbehavingServer, settings: Any, clock: Any
) -> None:
    options = {"issuer": "https://auth.example.com", "audience": ["https://api.example.com"]}
    values = authorization_server.settings(**options)
    values["BACKENDS"]["default"]["CACHE"] = {"LOCAL_MAX_AGE": 60}
    settings.TOKEN_INTROSPECTION = values
    common = {"aud": "https://api.example.com"}
    authorization_server.behave("active", **common | good)
    assert [ask(protect(), "good").status_code for _ in range(2)] == [200, 200]
    authorization_server.behave("active", **common | bad)

    for _ in range(2):
        assert_refused(ask(protect(), "bad"), 401, "invalid_token")
    forget_locally()
    assert_refused(ask(protect(), "bad"), 401, "invalid_token")

    assert len(authorization_server.requests) == 2


def test_an_accepted_answer_is_judged_in_full_by_all_but_its_backend(settings: Any, clock: Any) -> None:
    servers = {name: f"https://{name}.example.com" for name in ("one", "two")}
    settings.TOKEN_INTROSPECTION = {
        "BACKENDS": {
            name: remote_settings(f"{url}/introspect", audience=url)["BACKENDS"]["default"]
            for name, url in servers.items()
        }
    }
    one, two = token_backends["one"], token_backends["two"]
    answer = Active(TokenInfo({"aud": servers["one"], "exp": NOW + 60}))

    for _ in range(2):
        assert accept(answer, one) is answer
        assert accept(answer, two) == Inactive(Reason.WRONG_AUDIENCE)
        assert accept(answer, one, keys=ProvenKeys("a key")) == Inactive(Reason.NOT_BOUND_TO_A_KEY)
    clock.shift(60 + introspection_settings.LEEWAY)
    assert accept(answer, one) == Inactive(Reason.EXPIRED)


@pytest.mark.usefixtures("keep")
def test_an_inactive_answer_is_kept_for_a_short_time_of_its_own(
    authorization_server: MisbehavingServer, clock: Any
) -> None:
    authorization_server.behave("inactive")
    for _ in range(3):
        assert introspect(TOKEN) is None
    assert len(authorization_server.requests) == 1

    authorization_server.behave("active")
    clock.shift(10)

    assert introspect(TOKEN)


def test_no_inactive_answer_is_kept_where_that_is_off(keep: Any, authorization_server: MisbehavingServer) -> None:
    keep(INACTIVE_MAX_AGE=0, LOCAL_MAX_AGE=60)
    authorization_server.behave("inactive")

    for _ in range(3):
        introspect(TOKEN)

    assert len(authorization_server.requests) == 3


def test_a_thousand_garbage_tokens_fill_a_bounded_number_of_places(
    keep: Any, authorization_server: MisbehavingServer
) -> None:
    keep(LOCAL_MAX_AGE=60)
    introspect("good")
    authorization_server.behave("inactive")

    for number in range(1000):
        assert introspect(f"garbage-{number}") is None

    kept = [key for key in test_caches.keys(caches["default"]) if "introspection:answer" in key]
    assert 0 < len(kept) - 1 <= local_answers.SLOTS
    assert len(token_backends["default"]._cache.local._places) - 1 <= local_answers.SLOTS
    authorization_server.behave("status 500")
    assert introspect("good")
    assert introspect("garbage-999") is None
    with pytest.raises(IntrospectionUnavailable):
        introspect("garbage-new")


def test_the_memory_of_the_process_is_bounded(
    keep: Any, authorization_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_answers, "ENTRIES", 5)
    keep(LOCAL_MAX_AGE=60)

    for number in range(12):
        introspect(f"token-{number}")

    assert len(token_backends["default"]._cache.local._places) == 5


@pytest.mark.requirement("7662-4-m", "9700-4.9.3-a")
@pytest.mark.usefixtures("keep")
def test_neither_key_nor_value_tells_a_token(authorization_server: MisbehavingServer) -> None:
    introspect(TOKEN)
    authorization_server.behave("inactive")
    introspect(f"{TOKEN}-2")

    everything = " ".join(test_caches.keys(caches["default"]) + test_caches.values(caches["default"]))

    assert everything
    assert TOKEN not in everything


BEARER = {"auth_method": "bearer", "client_id": None, "client_secret": None}
SERVICE = {"auth_method": "client_credentials", "token_url": "{origin}/token"}
ASSERTION = {"auth_method": "private_key_jwt", "client_secret": None, "issuer": "https://auth.example.com"}
CALLERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "client": ({}, {"client_id": "another-api"}),
    "issuer": ({}, {"issuer": "https://auth.example.com"}),
    "endpoint": ({}, {"introspection_url": "{origin}/other"}),
    "header": ({}, {"headers": {"X-Tenant": "b"}}),
    "value of a header": ({"headers": {"X-Tenant": "a"}}, {"headers": {"X-Tenant": "b"}}),
    "bearer token": ({**BEARER, "bearer_token": "a"}, {**BEARER, "bearer_token": "b"}),
    "bearer token or client": ({}, {**BEARER, "bearer_token": "a"}),
    "scope": ({**SERVICE, "scope": "a"}, {**SERVICE, "scope": "b"}),
    "client of the service token": ({**SERVICE, "client_id": "a"}, {**SERVICE, "client_id": "b"}),
    "key": (
        {**ASSERTION, "private_key": {"KEY": jose.private("ES256", "a")}},
        {**ASSERTION, "private_key": {"KEY": jose.private("ES256", "b")}},
    ),
    "certificate": ({}, {"client_certificate": CERTIFICATE}),
}


@pytest.mark.parametrize("options", CALLERS.values(), ids=CALLERS)
def test_the_answer_for_one_caller_is_not_given_to_another(
    options: tuple[dict[str, Any], dict[str, Any]], authorization_server: MisbehavingServer, settings: Any
) -> None:
    authorization_server.behave("issues tokens", at="/token", issued=[])
    entries = [caller(authorization_server, each) for each in options]

    for entry in entries * 2:  # two projects that share a cache, both with the alias "default"
        settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": {**entry, "CACHE": {}}}}
        introspect(TOKEN)

    assert len([request for request in authorization_server.requests if "token" in request.form]) == 2


def caller(server: MisbehavingServer, options: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of BACKENDS with these options; None takes one away."""
    named = {
        name: value.format(origin=server.origin) if isinstance(value, str) else value for name, value in options.items()
    }
    entry: dict[str, Any] = server.settings(**named)["BACKENDS"]["default"]
    entry["OPTIONS"] = {name: value for name, value in entry["OPTIONS"].items() if value is not None}
    return entry


@pytest.mark.usefixtures("keep")
def test_a_wrong_entry_is_as_good_as_none(authorization_server: MisbehavingServer) -> None:
    introspect(TOKEN)
    (key,) = [key for key in test_caches.keys(caches["default"]) if "introspection:answer" in key]
    name = key.split(":", 2)[2]
    token_digest, generation, since, members, reason = json.loads(shared_cache("default").get(name)[64:])
    backend: Any = token_backends["default"]
    of_wrong_shape = [
        json.dumps([token_digest, generation, since, wrong, reason])
        for wrong in (
            *(
                {"exp": "x"},
                {"exp": True},
                {"exp": [1]},
                {"scope": 5},
                {"aud": 5},
                {"aud": [5]},
                {"cnf": "x"},
                {"sub": 1},
            ),
            *("active", 7, [], [1], True, {"iss": {}}),
        )
    ]
    of_wrong_shape += [
        json.dumps([token_digest, generation, since, None, reason]),
        json.dumps([token_digest, generation, since, None, ["inactive"]]),
        json.dumps([token_digest, generation, "soon", members, reason]),
        json.dumps([token_digest, generation, None, members, reason]),
        json.dumps([token_digest, generation, float("nan"), members, reason]),
        json.dumps([token_digest, generation, 10**400, members, reason]),
        json.dumps([token_digest, [], since, members, reason]),
        json.dumps([token_digest, generation, since, members, reason, 1]),
        json.dumps([token_digest, generation, since, {**members, "x": 0}, reason]).replace(
            "0}", "[" * 50_000 + "]" * 50_000 + "}"
        ),
        "[" * 100_000,
        "9" * 5000,
    ]
    of_wrong_shape += ["", "{}", "[]", "null", '["a","",0,{"active":true},null]']
    sealed = [sealed_by(backend, text) for text in of_wrong_shape]
    wrongs = ["", "\ud800" * 70, "é" * 70, 7, None, b"\xff", 1.5, [], [1] * 70, {}, *of_wrong_shape, *sealed]
    for number, wrong in enumerate(wrongs):
        (cache if isinstance(wrong, bytes) else shared_cache("default")).set(name, wrong)

        assert introspect(TOKEN)

        assert len(authorization_server.requests) == number + 2


def sealed_by(backend: Any, text: str) -> str:
    """Return an entry with the MAC of a backend."""
    mac = backend._cache._seal.copy()
    mac.update(text.encode())
    return f"{mac.hexdigest()}{text}"


def entry_names() -> list[str]:
    """Return the names of the active answers in the cache."""
    names = [key.split(":", 2)[2] for key in test_caches.keys(caches["default"])]
    return [name for name in names if re.fullmatch("introspection:answer:[0-9a-f]{32}:[0-9a-f]{64}", name)]


@pytest.mark.usefixtures("keep")
def test_what_an_attacker_writes_into_the_cache_is_no_answer(authorization_server: MisbehavingServer) -> None:
    """One who reads every entry, knows the format and the generation, and has no key."""
    introspect(TOKEN)
    (name,) = entry_names()
    kept = shared_cache("default").get(name)
    mac, text = kept[:64], kept[64:]
    more = text.replace('"active": true', '"active": true, "scope": "everything"')
    assert more != text
    forged = [
        text,
        more,
        mac + more,
        mac.upper() + text,
        mac[:-1] + text,
        kept + " ",
        hashlib.sha256(more.encode()).hexdigest() + more,
    ]

    for number, value in enumerate(forged):
        shared_cache("default").set(name, value)
        info = introspect(TOKEN)

        assert info is not None
        assert "everything" not in info.scopes
        assert len(authorization_server.requests) == number + 2


def test_an_entry_is_worth_nothing_in_another_place(
    keep: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    """An attacker copies an answer: to another token, and to another backend that shares the cache and the token."""
    introspect(TOKEN)
    (mine,) = entry_names()
    introspect("another-token")
    (other,) = set(entry_names()) - {mine}
    shared_cache("default").set(other, shared_cache("default").get(mine))
    introspect("another-token")
    assert len(authorization_server.requests) == 3

    backends = authorization_server.settings(client_id="another caller")["BACKENDS"]
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": {**backends["default"], "CACHE": {}}}}
    introspect(TOKEN)
    (elsewhere,) = set(entry_names()) - {mine, other}
    shared_cache("default").set(elsewhere, shared_cache("default").get(mine))
    introspect(TOKEN)
    assert len(authorization_server.requests) == 5


def test_two_deployments_with_the_same_caller_share_a_cache_and_no_entry(
    keep: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    introspect(TOKEN)
    (first,) = entry_names()

    settings.SECRET_KEY = "that of another deployment"
    keep()
    introspect(TOKEN)
    (second,) = set(entry_names()) - {first}
    shared_cache("default").set(second, shared_cache("default").get(first))
    introspect(TOKEN)

    assert len(authorization_server.requests) == 3


def test_a_cache_that_stores_json_is_enough(
    keep: Any, authorization_server: MisbehavingServer, settings: Any, told: list[str]
) -> None:
    settings.CACHES = {"default": {**test_caches.json_only(), "KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"]}}
    keep(place={"ALIAS": "default"})
    for token in ("a", "a", "b"):
        assert introspect(token)
    token_backends["default"].purge("a")
    assert introspect("a")
    authorization_server.behave("inactive")
    for _ in range(2):
        assert introspect("c") is None
    revocations.write_tombstones([RevocableToken(token_identity("b"), now())])
    assert introspect("b") is None

    assert told == ["server", "cache", "server", "server", "server", "cache", "cache"]


@CALLS
@pytest.mark.parametrize("token", [TOKEN, "jwt"])
def test_a_tombstone_ends_a_kept_answer_at_once(call: Any, token: str, keep: Any) -> None:
    token = jose.sign({"alg": "ES256"}, {"sub": "alice"}) if token == "jwt" else token
    keep(place={"ALIAS": "default"})
    assert call(token)

    revocations.write_tombstones([RevocableToken(token_identity(token), now())])

    assert call(token) is None
    if "." in token:
        assert call(jose.other_signature(token)) is None


@CALLS
def test_a_tombstone_decides_also_if_no_inactive_answer_is_kept(
    call: Any, keep: Any, authorization_server: MisbehavingServer
) -> None:
    """The server still says active: it may be another one than the server that wrote the tombstone."""
    keep(place={}, INACTIVE_MAX_AGE=0)
    assert call(TOKEN)
    revocations.write_tombstones([RevocableToken(token_identity(TOKEN), now())])

    assert call(TOKEN) is None

    assert len(authorization_server.requests) == 1


def test_a_tombstone_in_another_cache_counts_too(keep: Any, settings: Any) -> None:
    own = settings.CACHES["default"]
    settings.CACHES = {**settings.CACHES, "tombs": {**own, "KEY_PREFIX": f"{own['KEY_PREFIX']}-tombs"}}
    keep(place={"ALIAS": "tombs"})
    assert introspect(TOKEN)

    revocations.write_tombstones([RevocableToken(token_identity(TOKEN), now())])

    assert caches["tombs"].get(revocations.tombstone_key(token_identity(TOKEN), _place()))
    assert introspect(TOKEN) is None


def _place() -> Any:
    from django_introspection.conf import introspection_settings

    return introspection_settings.REVOCATIONS


def test_the_memory_of_the_process_weakens_the_promise_of_a_tombstone_by_its_seconds(
    keep: Any, clock: Any, authorization_server: MisbehavingServer
) -> None:
    keep(place={"ALIAS": "default"}, LOCAL_MAX_AGE=5)
    introspect(TOKEN)
    revocations.write_tombstones([RevocableToken(token_identity(TOKEN), now())])

    clock.shift(4)
    assert introspect(TOKEN)
    clock.shift(1)
    assert introspect(TOKEN) is None


def test_the_memory_of_the_process_does_not_lengthen_the_life_of_an_answer(
    keep: Any, clock: Any, authorization_server: MisbehavingServer, told: list[str]
) -> None:
    keep(LOCAL_MAX_AGE=60)
    introspect(TOKEN)
    forget_locally()
    clock.shift(59)
    introspect(TOKEN)
    introspect(TOKEN)
    clock.shift(1)
    introspect(TOKEN)

    assert told == ["server", "cache", "local", "server"]


@pytest.mark.usefixtures("keep")
def test_an_operator_can_purge_one_token_or_all(authorization_server: MisbehavingServer) -> None:
    backend: Any = token_backends["default"]
    for token in ("a", "b"):
        introspect(token)

    backend.purge("a")
    for token in ("a", "b"):
        introspect(token)
    assert len(authorization_server.requests) == 3

    async_to_sync(backend.apurge)()
    for token in ("a", "b"):
        introspect(token)
    assert len(authorization_server.requests) == 5
    introspect("a")
    assert len(authorization_server.requests) == 5


def test_a_full_memory_forgets_the_answer_that_was_kept_first(
    keep: Any, authorization_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(local_answers, "ENTRIES", 2)
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    keep(LOCAL_MAX_AGE=60)
    for token in ("first", "second", "third"):
        introspect(token)

    introspect("third")
    introspect("second")
    assert len(authorization_server.requests) == 3
    introspect("first")
    assert len(authorization_server.requests) == 4


def test_a_purge_lasts_as_long_as_the_answers_that_were_kept_before(
    keep: Any, clock: Any, authorization_server: MisbehavingServer
) -> None:
    keep(MAX_AGE=60, STALE_IF_ERROR=30)
    backend: Any = token_backends["default"]
    introspect(TOKEN)

    backend.purge()
    clock.shift(59)
    introspect(TOKEN)

    assert len(authorization_server.requests) == 2


def test_a_purge_forgets_the_memory_of_the_process(keep: Any, authorization_server: MisbehavingServer) -> None:
    keep(LOCAL_MAX_AGE=60)
    backend: Any = token_backends["default"]
    for purge in (lambda: backend.purge(TOKEN), backend.purge):
        introspect(TOKEN)
        purge()
    introspect(TOKEN)

    assert len(authorization_server.requests) == 3


def purge_one() -> None:
    token_backends["default"].purge(TOKEN)


def purge_all() -> None:
    token_backends["default"].purge()


def purge_elsewhere() -> None:
    token_backends.create("default").purge(TOKEN)  # like another process, it shares nothing but the cache


@pytest.mark.parametrize(
    ("local", "purge"), [(0, purge_one), (60, purge_one), (0, purge_all), (60, purge_all), (0, purge_elsewhere)]
)
def test_a_purge_drops_an_answer_that_is_under_way(
    local: int, purge: Any, keep: Any, authorization_server: MisbehavingServer
) -> None:
    keep(LOCAL_MAX_AGE=local)
    told = threading.Event()
    authorization_server.behave("answers when told", told=told)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(introspect, TOKEN)
        while not authorization_server.requests:
            threading.Event().wait(0.01)
        purge()
        told.set()
        assert asked.result()

    introspect(TOKEN)
    introspect(TOKEN)

    assert len(authorization_server.requests) == 2


def test_a_purge_wins_over_an_answer_that_would_stand_in(keep: Any, authorization_server: MisbehavingServer) -> None:
    """The server is asked in vain, and meanwhile the operator purges what could be used in its stead."""
    with time_machine.travel(NOW, tick=False) as clock:
        keep(MAX_AGE=1, STALE_IF_ERROR=600)
        introspect(TOKEN)
        clock.shift(2)
        told = threading.Event()
        authorization_server.behave("answers when told", told=told, scope=5)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(introspect, TOKEN)
            while len(authorization_server.requests) < 2:
                threading.Event().wait(0.01)
            token_backends["default"].purge(TOKEN)
            told.set()

            with pytest.raises(IntrospectionUnavailable):
                asked.result()


def purge_in_thread(token: str | None) -> None:
    token_backends["default"].purge(token)


async def purge_in_task(token: str | None) -> None:
    await token_backends["default"].apurge(token)


PURGES = pytest.mark.parametrize("purge", [purge_in_thread, async_to_sync(purge_in_task)], ids=["sync", "async"])


@PURGES
@pytest.mark.parametrize("token", [TOKEN, None], ids=["one", "all"])
def test_a_purge_does_not_wait_until_a_pause_of_the_cache_has_ended(
    purge: Any, token: str | None, fail: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    introspect(TOKEN)
    fail("get", "set", "delete")
    introspect("another")
    fail()

    purge(token)
    settings.CACHES = dict(settings.CACHES)  # the pause has ended

    assert introspect(TOKEN)
    assert len(authorization_server.requests) == 3


@PURGES
@pytest.mark.parametrize(("token", "failing"), [(TOKEN, "delete"), (TOKEN, "set"), (None, "set"), (None, "set_many")])
def test_a_purge_that_was_not_done_is_reported(purge: Any, token: str | None, failing: str, fail: Any) -> None:
    introspect(TOKEN)
    fail(failing)

    with pytest.raises(IntrospectionUnavailable, match=r"^the cache of answers did not forget") as raised:
        purge(token)
    assert "password" not in str(raised.value)
    fail()
    purge(token)


@pytest.fixture
def in_database(transactional_db: None, settings: Any) -> Iterator[None]:
    """Keep answers in a table."""
    place = {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "answers_of_a_test"}
    settings.CACHES = {"default": place}
    call_command("createcachetable", verbosity=0)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE answers_of_a_test")


def test_everything_is_forgotten_with_one_write(
    keep: Any, authorization_server: MisbehavingServer, in_database: None
) -> None:
    """A cache in a database writes one key after the other, and a task does not wait for hundreds of them."""
    introspect(TOKEN)

    with CaptureQueriesContext(connection) as captured:
        purge_all()

    writes = [query["sql"] for query in captured.captured_queries if query["sql"].startswith(("INSERT", "UPDATE"))]
    assert len(writes) == 1
    introspect(TOKEN)
    introspect(TOKEN)
    assert len(authorization_server.requests) == 2


@pytest.mark.parametrize("is_first", [True, False])
def test_a_purge_of_one_token_and_one_of_all_tokens_are_both_believed(
    is_first: bool, keep: Any, authorization_server: MisbehavingServer
) -> None:
    for purge in (purge_one, purge_all) if is_first else (purge_all, purge_one):
        introspect(TOKEN)
        purge()
    introspect(TOKEN)

    assert len(authorization_server.requests) == 3


def test_a_task_does_not_wait_for_a_purge_in_a_cache_that_hangs(
    keep: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.caches.HungCache"}}
    settings.TOKEN_INTROSPECTION = authorization_server.settings(timeout=1)
    settings.TOKEN_INTROSPECTION["BACKENDS"]["default"]["CACHE"] = {}
    test_caches.HungCache.released.clear()

    async def refused() -> None:
        with pytest.raises(IntrospectionUnavailable, match=r"^the cache of answers did not forget"):
            await token_backends["default"].apurge()
        assert not test_caches.HungCache.released.is_set()
        test_caches.HungCache.released.set()  # or the loop would wait for its threads

    asyncio.run(refused())


def test_a_full_cache_forgets_a_purged_answer_and_reports_that_it_took_no_note(
    fail: Any, authorization_server: MisbehavingServer
) -> None:
    introspect(TOKEN)
    fail("set")

    with pytest.raises(IntrospectionUnavailable):
        token_backends["default"].purge(TOKEN)

    introspect(TOKEN)
    assert len(authorization_server.requests) == 2


def test_a_full_cache_is_still_read(fail: Any, authorization_server: MisbehavingServer) -> None:
    introspect(TOKEN)
    fail("set")
    introspect("another")

    introspect(TOKEN)

    assert len(authorization_server.requests) == 2


@pytest.mark.parametrize("cache", [None, {}, {"LOCAL_MAX_AGE": 60}], ids=["no cache", "cache", "local"])
def test_a_request_that_follows_a_revocation_does_not_share_the_question_of_one_before(
    cache: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    values = authorization_server.settings()
    values["BACKENDS"]["default"] |= {} if cache is None else {"CACHE": cache}
    settings.TOKEN_INTROSPECTION = {**values, "REVOCATIONS": {"ALIAS": "default"}}
    revocations.set_markers()
    revoked, told = threading.Event(), threading.Event()
    authorization_server.behave("judges at once and answers when told", revoked=revoked, told=told)
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(introspect, TOKEN)
        assert authorization_server.hanging.wait(10)
        revoked.set()
        revocations.write_tombstones([RevocableToken(token_identity(TOKEN), now())])
        after = pool.submit(introspect, TOKEN)
        if cache is None:  # with a cache, it finds the tombstone and waits for nothing
            wait_for(1)
        told.set()

        assert before.result()
        assert after.result() is None
    if not cache:  # the answer of before may stay in the process for LOCAL_MAX_AGE
        assert introspect(TOKEN) is None


def test_a_request_does_not_wait_for_the_cache_to_keep_the_answer_of_another(
    authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.caches.SlowlyWritingCache"}}
    values = authorization_server.settings()
    values["BACKENDS"]["default"]["CACHE"] = {}
    settings.TOKEN_INTROSPECTION = values
    test_caches.SlowlyWritingCache.told.clear()
    test_caches.CALLS.clear()
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(introspect, TOKEN)
        while "slow set" not in test_caches.CALLS:
            threading.Event().wait(0.01)
        authorization_server.behave("inactive")
        assert introspect(TOKEN), "the answer that is being written is shared"
        another_process = token_backends.create("default")
        assert not another_process.introspect(TOKEN)
        another_process.close()
        assert not test_caches.SlowlyWritingCache.told.is_set()
        test_caches.SlowlyWritingCache.told.set()
        assert before.result()

    assert introspect(TOKEN) is None, "the answer that was kept last is not the last answer"
    assert len(authorization_server.requests) == 2
    with time_machine.travel(time.time() + 10):  # no inactive answer is kept any more
        assert introspect(TOKEN) is None
    assert len(authorization_server.requests) == 3


@CALLS
def test_a_cache_that_is_down_is_left_alone_and_the_server_asked(
    call: Any, keep: Any, authorization_server: MisbehavingServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}
    keep(place={"ALIAS": "default"}, is_whole=False)

    for _ in range(3):
        assert call(TOKEN)
    authorization_server.behave("inactive")
    assert call(TOKEN) is None

    assert len(authorization_server.requests) == 4
    assert [record.message for record in caplog.records] == ["the cache of answers does not answer: ConnectionError"]


def test_tombstones_that_cannot_be_read_make_a_kept_answer_worthless(
    keep: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.CACHES = {**settings.CACHES, "tombs": {"BACKEND": "tests.caches.BrokenCache"}}
    keep(place={"ALIAS": "tombs"}, is_whole=False, STALE_IF_ERROR=600)

    for _ in range(2):
        assert introspect(TOKEN)
    assert len(authorization_server.requests) == 2
    authorization_server.behave("status 500")
    with pytest.raises(IntrospectionUnavailable):
        introspect(TOKEN)


class TestStaleIfError:
    def test_a_known_token_goes_on_while_the_server_cannot_be_asked(
        self, keep: Any, authorization_server: MisbehavingServer, clock: Any, told: list[str]
    ) -> None:
        keep(STALE_IF_ERROR=100)
        introspect(TOKEN)
        authorization_server.behave("status 500")
        clock.shift(159)

        assert introspect(TOKEN)
        assert told == ["server", "stale"]
        with pytest.raises(IntrospectionUnavailable):
            introspect("another")
        clock.shift(1)
        with pytest.raises(IntrospectionUnavailable):
            introspect(TOKEN)

    def test_it_is_off_by_default(self, keep: Any, authorization_server: MisbehavingServer, clock: Any) -> None:
        introspect(TOKEN)
        authorization_server.behave("status 500")
        clock.shift(60)

        with pytest.raises(IntrospectionUnavailable):
            introspect(TOKEN)

    def test_a_token_that_became_inactive_does_not_come_back(
        self, keep: Any, authorization_server: MisbehavingServer, clock: Any
    ) -> None:
        keep(STALE_IF_ERROR=1000)
        introspect(TOKEN)
        clock.shift(60)
        authorization_server.behave("inactive")
        assert introspect(TOKEN) is None
        authorization_server.behave("status 500")
        clock.shift(10)

        with pytest.raises(IntrospectionUnavailable):
            introspect(TOKEN)

    @CALLS
    @pytest.mark.parametrize("failing", [("get",), ("delete",), ("get", "set", "delete")], ids="-".join)
    def test_a_token_that_became_inactive_does_not_come_back_after_the_cache_failed(
        self,
        call: Any,
        failing: tuple[str, ...],
        keep: Any,
        fail: Any,
        authorization_server: MisbehavingServer,
        clock: Any,
        settings: Any,
    ) -> None:
        keep(STALE_IF_ERROR=1000)
        call(TOKEN)
        clock.shift(60)
        authorization_server.behave("inactive")
        fail(*failing)
        assert call(TOKEN) is None
        authorization_server.behave("status 500")
        clock.shift(10)

        fail()
        settings.CACHES = dict(settings.CACHES)  # the pause has ended
        with pytest.raises(IntrospectionUnavailable):
            call(TOKEN)

        another_process = token_backends.create("default")
        with pytest.raises(IntrospectionUnavailable):
            another_process.introspect(TOKEN)
        another_process.close()

    def test_an_active_answer_of_later_stands_in_again(
        self, keep: Any, fail: Any, authorization_server: MisbehavingServer, clock: Any, settings: Any
    ) -> None:
        keep(STALE_IF_ERROR=1000)
        introspect(TOKEN)
        clock.shift(60)
        fail("get", "delete")
        authorization_server.behave("inactive")
        assert introspect(TOKEN) is None
        clock.shift(10)
        fail()
        settings.CACHES = dict(settings.CACHES)  # the pause has ended
        authorization_server.behave("active")
        assert introspect(TOKEN)
        authorization_server.behave("status 500")
        clock.shift(60)

        assert introspect(TOKEN)

    def test_inactive_answers_that_cannot_be_written_take_a_bounded_memory_and_all_count(
        self,
        keep: Any,
        fail: Any,
        authorization_server: MisbehavingServer,
        clock: Any,
        settings: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(outdated, "ENTRIES", 2)
        keep(STALE_IF_ERROR=1000)
        tokens = [f"token-{number}" for number in range(5)]
        assert all(introspect(token) for token in tokens)
        clock.shift(60)
        fail("get", "delete")
        authorization_server.behave("inactive")
        for token in tokens:
            clock.shift(1)
            assert introspect(token) is None
        fail()
        settings.CACHES = dict(settings.CACHES)  # the pause has ended
        authorization_server.behave("status 500")

        for token in tokens:
            with pytest.raises(IntrospectionUnavailable):
                introspect(token)
        backend: Any = token_backends["default"]
        assert len(backend._cache._outdated._moments) == 0
        authorization_server.behave("active")
        assert introspect(TOKEN)
        authorization_server.behave("status 500")
        clock.shift(60)
        assert introspect(TOKEN), "a later answer stands in"

    @pytest.mark.parametrize("code", [400, 401, 403])
    def test_who_may_not_ask_any_more_learns_nothing_from_the_past(
        self, code: int, keep: Any, authorization_server: MisbehavingServer, clock: Any
    ) -> None:
        keep(STALE_IF_ERROR=1000)
        introspect(TOKEN)
        clock.shift(60)
        authorization_server.behave(f"status {code}")

        with pytest.raises(IntrospectionUnavailable):
            introspect(TOKEN)

    def test_a_tombstone_wins(self, keep: Any, authorization_server: MisbehavingServer, clock: Any) -> None:
        keep(STALE_IF_ERROR=1000, place={"ALIAS": "default"})
        introspect(TOKEN)
        clock.shift(60)
        authorization_server.behave("status 500")
        revocations.write_tombstones([RevocableToken(token_identity(TOKEN), now())])

        assert introspect(TOKEN) is None


def wait_for(number: int) -> None:
    """Wait until so many threads wait for the question that is under way."""
    flights = token_backends["default"]._flights._of_threads  # type: ignore[attr-defined] # RemoteBackend's own
    while waiting(flights) < number:
        threading.Event().wait(0.01)


@pytest.mark.parametrize(("with_cache", "calls"), [(True, 1), (False, 2)])
def test_fifty_threads_with_one_new_token_share_a_call(
    with_cache: bool, calls: int, keep: Any, authorization_server: MisbehavingServer, settings: Any, told: list[str]
) -> None:
    if not with_cache:
        settings.TOKEN_INTROSPECTION = authorization_server.settings()
    go_on = threading.Event()
    authorization_server.behave("answers when told", told=go_on)
    ready = threading.Barrier(51)

    def call(_: int) -> Any:
        ready.wait()
        return introspect(TOKEN)

    with ThreadPoolExecutor(50) as pool:
        infos = pool.map(call, range(50))
        ready.wait()
        wait_for(49)
        go_on.set()
        assert all(infos)

    assert len(authorization_server.requests) == calls
    assert Counter(told) == {"server": calls, "shared": 50 - calls}


def test_fifty_tasks_with_one_new_token_make_two_calls(
    authorization_server: MisbehavingServer, told: list[str]
) -> None:
    async def many() -> list[Any]:
        return await asyncio.gather(*(aintrospect(TOKEN) for _ in range(50)))

    assert all(asyncio.run(many()))
    assert len(authorization_server.requests) == 2
    assert Counter(told) == {"server": 2, "shared": 48}


def test_a_thousand_tasks_make_one_call_for_each_token(authorization_server: MisbehavingServer, settings: Any) -> None:
    """No task has a thread of its own while the server takes its time.

    The cache is in memory, and waited for as long as a quarter of the timeout: if it is too slow, which it can be on a
    busy machine, each caller asks the server.
    """
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": __name__}}
    settings.TOKEN_INTROSPECTION = authorization_server.settings(timeout=600)
    settings.TOKEN_INTROSPECTION["BACKENDS"]["default"]["CACHE"] = {}
    told = threading.Event()
    authorization_server.behave("answers when told", told=told)

    async def many() -> tuple[list[Any], int]:
        tasks = [asyncio.create_task(aintrospect(f"token-{number % 50}")) for number in range(1000)]
        while len(authorization_server.requests) < 50:  # noqa: ASYNC110 - the server is a thread
            await asyncio.sleep(0.01)
        threads = sum(each.name.startswith("django_introspection") for each in threading.enumerate())
        told.set()
        return await asyncio.gather(*tasks), threads

    infos, threads = asyncio.run(many())

    assert all(infos)
    assert len(authorization_server.requests) == 50
    assert threads <= MAX_THREADS


@pytest.fixture
def second_caller(authorization_server: MisbehavingServer) -> Any:
    """Return a function that asks after a change, while the question of another caller is under way."""

    def ask_after(change: Callable[[], Any], **members: Any) -> Any:
        told = threading.Event()
        authorization_server.behave("answers when told", told=told, **members)
        flights = token_backends["default"]._flights._of_threads  # type: ignore[attr-defined] # RemoteBackend's own
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(introspect, TOKEN)
            while not authorization_server.requests:
                threading.Event().wait(0.01)
            change()
            second = pool.submit(introspect, TOKEN)
            while not (second.done() or len(authorization_server.requests) > 1 or waiting(flights)):
                threading.Event().wait(0.01)
            told.set()
            first.result()
            return second.result()

    return ask_after


def waiting(flights: Any) -> int:
    return sum(len(each.landed._cond._waiters) for each in flights.values())


def nothing() -> None:
    pass


@pytest.mark.parametrize(("change", "calls"), [(nothing, 1), (purge_one, 2), (purge_all, 2), (purge_elsewhere, 2)])
def test_a_caller_after_a_purge_does_not_share_the_question_before_it(
    change: Any, calls: int, keep: Any, second_caller: Any, authorization_server: MisbehavingServer
) -> None:
    keep()

    assert second_caller(change)

    assert len(authorization_server.requests) == calls


def test_an_answer_that_is_too_old_to_be_kept_is_not_shared(
    clock: Any, keep: Any, second_caller: Any, authorization_server: MisbehavingServer
) -> None:
    keep(MAX_AGE=1)

    assert second_caller(lambda: clock.shift(2))

    assert len(authorization_server.requests) == 2


def test_inactive_answers_that_are_not_kept_are_not_shared(
    keep: Any, second_caller: Any, authorization_server: MisbehavingServer
) -> None:
    keep(INACTIVE_MAX_AGE=0)

    assert second_caller(nothing, active=False) is None

    assert len(authorization_server.requests) == 2


def test_what_one_caller_does_with_an_answer_reaches_nobody_else(keep: Any) -> None:
    keep(LOCAL_MAX_AGE=60)
    first = introspect(TOKEN)
    assert first is not None
    first.to_dict()["scope"] = "everything"

    assert introspect(TOKEN)["scope"] == "orders:read"  # type: ignore[index] # it is active
    with pytest.raises(TypeError):
        first["scope"] = "everything"  # type: ignore[index] # that is the point


def test_a_deletion_whose_task_is_cancelled_is_tried_again() -> None:
    kept = AnswerCache(CacheOptions(), identity=["test"], patience=1)
    kept._outdated.note("a", 1)
    steps = iter(kept._delete_outdated())
    next(steps)

    with pytest.raises(asyncio.CancelledError):
        steps.throw(asyncio.CancelledError())

    assert kept._outdated.is_late
