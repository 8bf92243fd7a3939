"""Issuers that come and go while the process runs, looked up by a function of the project."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core import checks
from django.test import RequestFactory
from rest_framework.response import Response
from rest_framework.views import APIView

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.backends import issuers, refreshed
from django_introspection.backends.issuers import MAX_ISSUER
from django_introspection.backends.refreshed import KEPT_FOR, STANDS_IN_FOR
from django_introspection.check_messages import TAG
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from django_introspection.protocol.presented import Presented
from django_introspection.resource_server.acceptance import Identity, authenticate_token
from django_introspection.resource_server.metadata import metadata_url
from django_introspection.signals import token_answered
from tests.backends.issuers import JWKS, access_token, jwt_settings, public, publish
from tests.misbehaving.server import MisbehavingServer, remote_settings
from tests.settings import AUDIENCE, ISSUER

CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
STRANGER = "https://stranger.example"
JWT = "django_introspection.backends.JWTBackend"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(refreshed, "monotonic", clock)
    return clock


class Project:
    """What the project says of issuers, and what it was asked."""

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}
        self.asked: list[str] = []
        self.is_down = False

    def __call__(self, issuer: str) -> Any:
        self.asked.append(issuer)
        if self.is_down:
            raise OSError("the database does not answer")
        return self.entries.get(issuer)


@pytest.fixture
def project(settings: Any) -> Project:
    project = Project()
    settings.TOKEN_INTROSPECTION = routing(project)
    return project


def routing(find: Any, others: Any = None, user: Any = None, **options: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "BACKEND": "django_introspection.backends.RoutingBackend",
        "OPTIONS": {"issuers": find, "audience": AUDIENCE, **options},
    }
    return {"BACKENDS": {"default": {**entry, "USER": user} if user else entry, **(others or {})}}


@pytest.fixture
def alpha() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        publish(server, public())
        yield server


@pytest.fixture
def beta() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        publish(server, public("two"))
        yield server


def remote(server: MisbehavingServer, **options: Any) -> dict[str, Any]:
    return remote_settings(server.url, audience=AUDIENCE, **options)["BACKENDS"]["default"]


@CALLS
def test_an_issuer_appears_changes_its_keys_and_vanishes(
    call: Any, project: Project, alpha: MisbehavingServer, clock: Clock
) -> None:
    token = access_token(alpha.origin)
    assert call(token) is None
    assert alpha.requests == []

    project.entries[alpha.origin] = {"BACKEND": JWT}
    clock.now += KEPT_FOR
    assert call(token)["iss"] == alpha.origin

    publish(alpha, public("new"))
    project.entries[alpha.origin] = {"BACKEND": JWT, "OPTIONS": {"algorithms": ["ES256"]}}
    clock.now += KEPT_FOR
    assert call(access_token(alpha.origin, name="new"))
    assert call(token) is None, "the keys of the old configuration are forgotten with it"

    del project.entries[alpha.origin]
    clock.now += KEPT_FOR
    asked = len(alpha.requests)
    assert call(access_token(alpha.origin, name="new")) is None
    assert len(alpha.requests) == asked


@CALLS
def test_an_issuer_is_looked_up_once_in_five_seconds_known_or_not(
    call: Any, project: Project, alpha: MisbehavingServer, clock: Clock
) -> None:
    project.entries[alpha.origin] = {"BACKEND": JWT}
    tokens = [access_token(alpha.origin), access_token(STRANGER)]

    for _ in range(5):
        assert [bool(call(token)) for token in tokens] == [True, False]
    assert project.asked == [alpha.origin, STRANGER]

    clock.now += KEPT_FOR
    for _ in range(5):
        assert [bool(call(token)) for token in tokens] == [True, False]
    assert project.asked == [alpha.origin, STRANGER] * 2
    assert len(alpha.requests_at(JWKS)) == 1, "an unchanged configuration keeps its keys"


NEVER_LOOKED_UP = {
    "no URL": "stranger",
    "empty": "",
    "line end": f"{STRANGER}\n",
    "query": f"{STRANGER}?tenant=1",
    "fragment": f"{STRANGER}#1",
    "credentials": "https://user@stranger.example",
    "too long": f"{STRANGER}/{'x' * MAX_ISSUER}",
    "other scheme": "file:///etc/passwd",
    "not ASCII": "https://strangér.example",
}


@CALLS
@pytest.mark.parametrize("issuer", NEVER_LOOKED_UP.values(), ids=NEVER_LOOKED_UP)
def test_what_cannot_be_an_issuer_is_not_looked_up(call: Any, issuer: str, project: Project) -> None:
    assert call(access_token(issuer)) is None
    assert project.asked == []


def test_strangers_fill_no_memory_and_push_no_issuer_out(
    project: Project, alpha: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuers, "MAX_UNKNOWN", 10)
    project.entries[alpha.origin] = {"BACKEND": JWT}
    assert introspect(access_token(alpha.origin))
    (backend,) = directory().made()

    for number in range(50):
        assert introspect(access_token(f"{STRANGER}/{number}")) is None

    assert len(directory()._unknown) == 10
    assert introspect(access_token(alpha.origin))
    assert project.asked.count(alpha.origin) == 1
    assert directory().made() == [backend]
    assert len(alpha.requests_at(JWKS)) == 1


@CALLS
def test_opaque_tokens_never_go_to_an_issuer_that_was_looked_up(
    call: Any, settings: Any, alpha: MisbehavingServer, beta: MisbehavingServer
) -> None:
    project = Project()
    project.entries[alpha.origin] = remote(alpha, issuer=alpha.origin)
    beta.behave("active", aud=AUDIENCE)
    settings.TOKEN_INTROSPECTION = routing(project, {"other": remote(beta)}, default="other")

    assert call("opaque")
    assert call("three.opaque.parts")
    assert project.asked == []
    assert alpha.requests == []
    assert call(access_token(STRANGER)) is None
    assert len(beta.requests) == 2, "a JWT of an unknown issuer is shown to no server"


@CALLS
def test_a_look_up_that_fails_is_an_outage_for_new_issuers_alone(
    call: Any, project: Project, alpha: MisbehavingServer, clock: Clock, caplog: Any
) -> None:
    project.entries[alpha.origin] = {"BACKEND": JWT}
    assert call(access_token(alpha.origin))
    assert call(access_token(STRANGER)) is None
    project.is_down = True
    clock.now += KEPT_FOR

    for _ in range(3):
        assert call(access_token(alpha.origin))
        with pytest.raises(IntrospectionUnavailable):
            call(access_token(STRANGER))
    assert project.asked == [alpha.origin, STRANGER] * 2, "one try in five seconds"
    assert "OSError" in caplog.text
    assert "does not answer" not in caplog.text, "the text of a foreign exception may hold a password"

    clock.now += STANDS_IN_FOR
    with pytest.raises(IntrospectionUnavailable):
        call(access_token(alpha.origin))
    project.is_down = False
    clock.now += KEPT_FOR
    assert call(access_token(alpha.origin))


def test_a_forgotten_issuer_counts_at_once_and_nothing_stands_in_for_it(
    project: Project, alpha: MisbehavingServer, clock: Clock
) -> None:
    project.entries[alpha.origin] = {"BACKEND": JWT}
    token = access_token(alpha.origin)
    assert introspect(token)

    del project.entries[alpha.origin]
    assert introspect(token), "five seconds are not over"
    token_backends.forget_issuer(alpha.origin)
    assert introspect(token) is None

    project.entries[alpha.origin] = {"BACKEND": JWT}
    token_backends.forget_issuer()
    assert introspect(token)
    project.is_down = True
    token_backends.forget_issuer(alpha.origin)
    with pytest.raises(IntrospectionUnavailable):
        introspect(token)


def test_a_change_during_a_look_up_is_not_missed(settings: Any, alpha: MisbehavingServer) -> None:
    found: list[Any] = [{"BACKEND": JWT}]

    def find(issuer: str) -> Any:
        read = found[0]
        if read is not None:  # the issuer is removed after it was read and before the look-up returns
            found[0] = None
            token_backends.forget_issuer(issuer)
        return read

    settings.TOKEN_INTROSPECTION = routing(find)

    assert introspect(access_token(alpha.origin)) is None


@CALLS
def test_a_coroutine_function_is_awaited(call: Any, settings: Any, alpha: MisbehavingServer) -> None:
    asked = []

    async def find(issuer: str) -> Any:
        await asyncio.sleep(0)
        asked.append(issuer)
        return {"BACKEND": JWT} if issuer == alpha.origin else None

    settings.TOKEN_INTROSPECTION = routing(find)

    assert call(access_token(alpha.origin))
    assert call(access_token(STRANGER)) is None
    assert asked == [alpha.origin, STRANGER]


def test_an_issuer_that_grows_old_while_it_is_chosen_is_not_looked_up_on_the_event_loop(
    settings: Any, alpha: MisbehavingServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_the_loop: list[str] = []

    def find(issuer: str) -> Any:
        with suppress(RuntimeError):
            asyncio.get_running_loop()
            on_the_loop.append(issuer)
        return {"BACKEND": JWT} if issuer == alpha.origin else None

    settings.TOKEN_INTROSPECTION = routing(find)
    tokens = [access_token(alpha.origin), access_token(STRANGER)]

    def later() -> float:
        """Each look at the clock takes nearly as long as an issuer is kept."""
        clock.now += KEPT_FOR - 0.1
        return clock.now

    async def ask(token: str) -> list[bool]:
        monkeypatch.setattr(refreshed, "monotonic", clock)
        first = bool(await aintrospect(token))
        monkeypatch.setattr(refreshed, "monotonic", later)
        return [first, bool(await aintrospect(token))]

    assert [asyncio.run(ask(token)) for token in tokens] == [[True, True], [False, False]]
    assert not on_the_loop


def test_tasks_of_one_event_loop_look_up_once(settings: Any, alpha: MisbehavingServer) -> None:
    asked = []

    async def find(issuer: str) -> Any:
        asked.append(issuer)
        await asyncio.sleep(0)
        return {"BACKEND": JWT}

    settings.TOKEN_INTROSPECTION = routing(find)
    token = access_token(alpha.origin)

    async def many() -> list[Any]:
        return await asyncio.gather(*(aintrospect(token) for _ in range(20)))

    assert all(asyncio.run(many()))
    assert asked == [alpha.origin]


def test_threads_that_come_together_look_up_once(settings: Any, alpha: MisbehavingServer) -> None:
    asked, together = [], threading.Barrier(8)

    def find(issuer: str) -> Any:
        asked.append(issuer)
        return {"BACKEND": JWT}

    settings.TOKEN_INTROSPECTION = routing(find)
    token = access_token(alpha.origin)

    def ask(_: int) -> Any:
        together.wait(timeout=20)
        return introspect(token)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(8)))
    assert asked == [alpha.origin]
    assert len(directory().made()) == 1


def test_known_issuers_do_not_wait_for_a_look_up_that_hangs(
    settings: Any, alpha: MisbehavingServer, clock: Clock
) -> None:
    hangs, go_on, is_slow = threading.Event(), threading.Event(), threading.Event()
    ends: list[bool] = []

    def find(issuer: str) -> Any:
        if is_slow.is_set():
            hangs.set()
            ends.append(go_on.wait(timeout=5))
        return {"BACKEND": JWT}

    settings.TOKEN_INTROSPECTION = routing(find)
    token = access_token(alpha.origin)
    assert introspect(token)
    is_slow.set()
    clock.now += KEPT_FOR
    slow = threading.Thread(target=introspect, args=(token,))
    slow.start()
    try:
        assert hangs.wait(timeout=20)
        assert introspect(token)
    finally:
        go_on.set()
        slow.join(timeout=20)
    assert ends == [True], "the look-up that hung ended after the request of the other thread"


SOON = 0.1
"""The timeout of a look-up that hangs."""


class Hanging:
    """A look-up that hangs for strangers until it may go on, and then knows them."""

    def __init__(self, *hanging: str) -> None:
        self.hanging, self.asked = set(hanging), list[str]()
        self.hangs, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self, issuer: str) -> Any:
        self.asked.append(issuer)
        if issuer in self.hanging:
            self.hangs.set()
            self.may_go_on.wait(timeout=20)
        return {"BACKEND": JWT}


def test_threads_wait_for_a_hanging_look_up_until_its_timeout(settings: Any, alpha: MisbehavingServer) -> None:
    find = Hanging(alpha.origin)
    settings.TOKEN_INTROSPECTION = routing(find, timeout=SOON)
    token = access_token(alpha.origin)

    def is_unavailable(_: int) -> bool:
        with pytest.raises(IntrospectionUnavailable, match=r"a look-up takes more than 0\.1 s"):
            introspect(token)
        return True

    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(introspect, token)
        try:
            assert find.hangs.wait(timeout=20)
            assert all(threads.map(is_unavailable, range(8)))
            assert not first.done()
        finally:
            find.may_go_on.set()
        assert first.result(timeout=20)
    assert introspect(token)
    assert find.asked == [alpha.origin]


def test_tasks_wait_for_a_hanging_look_up_until_its_timeout(
    settings: Any, alpha: MisbehavingServer, beta: MisbehavingServer, clock: Clock
) -> None:
    find = Hanging(alpha.origin)
    settings.TOKEN_INTROSPECTION = routing(find, timeout=SOON)
    hanging, known = access_token(alpha.origin), access_token(beta.origin, name="two")
    assert introspect(known)
    clock.now += KEPT_FOR

    async def answers() -> list[Any]:
        tokens = [hanging] * 8 + [known]
        return await asyncio.gather(*map(aintrospect, tokens), return_exceptions=True)

    try:
        *refused, accepted = asyncio.run(answers())
    finally:
        find.may_go_on.set()
    assert [type(each) for each in refused] == [IntrospectionUnavailable] * 8
    assert accepted["iss"] == beta.origin, "a known issuer does not wait for the thread that hangs"
    assert find.asked == [beta.origin, alpha.origin]


@CALLS
def test_a_coroutine_function_that_hangs_is_cancelled(call: Any, settings: Any) -> None:
    cancelled: list[str] = []

    async def find(issuer: str) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(issuer)
            raise

    settings.TOKEN_INTROSPECTION = routing(find, timeout=SOON)

    with pytest.raises(IntrospectionUnavailable):
        call(access_token(STRANGER))
    assert cancelled == [STRANGER]


def test_a_bounded_number_of_issuers_is_kept_and_the_last_used_stay(
    settings: Any, alpha: MisbehavingServer, beta: MisbehavingServer
) -> None:
    project = Project()
    settings.TOKEN_INTROSPECTION = routing(project, max_issuers=1)
    project.entries = {alpha.origin: {"BACKEND": JWT}, beta.origin: {"BACKEND": JWT}}
    tokens = [access_token(alpha.origin), access_token(beta.origin, name="two")]

    for token in tokens * 2:
        assert introspect(token)
        assert len(directory().made()) == 1
    assert [len(server.requests_at(JWKS)) for server in (alpha, beta)] == [2, 2]


class Told(threading.Event):
    """What a server waits for, and whether a request has come."""

    def __init__(self) -> None:
        super().__init__()
        self.has_come = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.has_come.set()
        return super().wait(timeout)


CLOSED = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@CLOSED
def test_a_request_under_way_ends_as_usual_when_its_issuer_goes(
    is_async: bool, project: Project, alpha: MisbehavingServer
) -> None:
    told = Told()
    alpha.behave("answers when told", told=told, aud=AUDIENCE)
    project.entries[alpha.origin] = remote(alpha, issuer=alpha.origin)
    token = access_token(alpha.origin)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(asyncio.run, aintrospect(token)) if is_async else thread.submit(introspect, token)
        assert told.has_come.wait(timeout=20)
        (backend,) = directory().made()
        del project.entries[alpha.origin]
        token_backends.forget_issuer()
        assert introspect(token) is None
        told.set()

        assert answer.result(timeout=20)["sub"] == "alice"
    assert len(alpha.requests) == 1, "its connection was not cut off, or it had been sent twice"
    assert directory().made() == []
    assert backend._transport._pool.connections == []


def test_the_connections_of_an_issuer_that_goes_are_closed(project: Project, alpha: MisbehavingServer) -> None:
    alpha.behave("active", aud=AUDIENCE)
    project.entries[alpha.origin] = remote(alpha, issuer=alpha.origin)
    token = access_token(alpha.origin)

    async def come_and_go() -> int:
        assert await aintrospect(token)
        (backend,) = directory().made()
        pool = backend._transport._pools_of_loops.get().pool
        assert len(pool.connections) == 1
        del project.entries[alpha.origin]
        token_backends.forget_issuer()
        assert await aintrospect(token) is None
        while pool.connections:  # noqa: ASYNC110 - the task that closes is a step away
            await asyncio.sleep(0)
        return len(pool.connections)

    assert asyncio.run(come_and_go()) == 0
    project.entries[alpha.origin] = remote(alpha, issuer=alpha.origin)
    token_backends.forget_issuer()
    assert introspect(token)
    (backend,) = directory().made()
    assert len(backend._transport._pool.connections) == 1
    token_backends.close()
    assert backend._transport._pool.connections == []


def directory() -> Any:
    return token_backends["default"].looked_up  # type: ignore[attr-defined]


WRONG: dict[str, tuple[Any, str]] = {
    "another issuer": (
        {"BACKEND": JWT, "OPTIONS": {"issuer": STRANGER}},
        "['OPTIONS']['issuer'] must be the issuer that was looked up, or be left out.",
    ),
    "a routing backend": (
        {"BACKEND": "django_introspection.backends.RoutingBackend"},
        "['BACKEND'] must not be a routing backend.",
    ),
    "our own tokens": ({"BACKEND": "django_introspection.backends.DatabaseBackend"}, "has unknown keys: 'issuer'"),
    "no backend": ({"OPTIONS": {}}, "must be a dictionary with 'BACKEND'."),
    "an unknown key": ({"BACKEND": JWT, "OPTION": {}}, "has unknown keys: 'OPTION'"),
    "an unknown option": ({"BACKEND": JWT, "OPTIONS": {"audiense": ""}}, "has unknown keys: 'audiense'"),
    "options that are none": ({"BACKEND": JWT, "OPTIONS": []}, "['OPTIONS'] must be a dictionary."),
    "another server to ask": (
        {"BACKEND": JWT, "OPTIONS": {"then_ask": "static"}},
        "['OPTIONS']['then_ask'] must not be set: the token would be shown to another server.",
    ),
    "an alias that does not exist": ("nowhere", "'nowhere' is not an alias of BACKENDS."),
    "an alias that routes": ("default", "'default' is a routing backend."),
    "the alias of another issuer": ("static", "'static' is the backend of another issuer."),
    "an alias that cannot be made": ("broken", "['audience'] is required."),
}


@CALLS
@pytest.mark.parametrize(("entry", "problem"), WRONG.values(), ids=WRONG)
def test_a_configuration_that_is_wrong_is_an_outage_of_its_issuer_alone(
    call: Any, entry: Any, problem: str, settings: Any, alpha: MisbehavingServer, clock: Clock, caplog: Any
) -> None:
    project = Project()
    static = remote_settings("https://id.example/introspect", issuer="https://id.example")["BACKENDS"]["default"]
    settings.TOKEN_INTROSPECTION = routing(
        project, {"static": static, "broken": jwt_settings("https://broken.example", audience=())}
    )
    wrong = "https://wrong.example"
    project.entries = {wrong: entry, alpha.origin: {"BACKEND": JWT}}

    for _ in range(3):
        with pytest.raises(IntrospectionUnavailable):
            call(access_token(wrong))
        clock.now += KEPT_FOR
    assert call(access_token(alpha.origin))

    lines = [record.message for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(lines) == 1, "one line, however often it is looked up"
    assert lines[0].startswith(f"issuer cannot be used backend=default issuer={wrong}: ")
    assert problem in lines[0]
    project.entries[wrong] = None
    clock.now += KEPT_FOR
    assert call(access_token(wrong)) is None


@pytest.mark.parametrize("result", [7, ["default"], True, object()], ids=["number", "list", "true", "object"])
def test_a_look_up_that_returns_something_else_is_an_outage(result: Any, project: Project, alpha: Any) -> None:
    project.entries = {STRANGER: result, alpha.origin: {"BACKEND": JWT}}

    with pytest.raises(IntrospectionUnavailable):
        introspect(access_token(STRANGER))
    assert introspect(access_token(alpha.origin))


def test_an_issuer_without_audience_is_refused_unless_any_is_wanted(settings: Any, alpha: MisbehavingServer) -> None:
    entry = remote(alpha, issuer=alpha.origin)
    del entry["OPTIONS"]["audience"]
    settings.TOKEN_INTROSPECTION = routing(lambda issuer: entry, audience=())
    alpha.behave("active", aud="https://other.example")

    with pytest.raises(IntrospectionUnavailable):
        introspect(access_token(alpha.origin))
    entry["OPTIONS"]["audience"] = None
    token_backends.forget_issuer()
    assert introspect(access_token(alpha.origin))


CLASHES = {
    "an alias": ("https://id.example", {"partner": jwt_settings("https://id.example")}),
    "our own": (ISSUER, {"own": {"BACKEND": "django_introspection.backends.DatabaseBackend"}}),
}


@pytest.mark.parametrize(("issuer", "others"), CLASHES.values(), ids=CLASHES)
def test_an_issuer_that_an_alias_answers_for_is_refused(issuer: str, others: Any, settings: Any, caplog: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"ISSUER": ISSUER, **routing(lambda issuer: {"BACKEND": JWT}, others)}

    with pytest.raises(IntrospectionUnavailable):
        introspect(access_token(issuer))
    assert f"must not be the issuer of the alias {next(iter(others))!r}" in caplog.text


@CALLS
def test_an_alias_answers_for_the_issuer_that_names_it(call: Any, settings: Any, alpha: MisbehavingServer) -> None:
    settings.TOKEN_INTROSPECTION = routing({alpha.origin: "alpha"}.get, {"alpha": jwt_settings(alpha.origin)})

    assert call(access_token(alpha.origin))
    assert call(access_token(STRANGER)) is None
    assert directory().made() == []


def test_an_identity_is_that_of_its_issuer(project: Project, alpha: MisbehavingServer, beta: MisbehavingServer) -> None:
    project.entries = {alpha.origin: {"BACKEND": JWT}, beta.origin: {"BACKEND": JWT}}
    request = RequestFactory().get("/")

    def identity(token: str) -> Identity:
        found = authenticate_token(token, "default", request)
        assert isinstance(found, Identity)
        return found

    first, second = identity(access_token(alpha.origin)), identity(access_token(beta.origin, name="two"))
    assert (first.issuer, second.issuer) == (alpha.origin, beta.origin)
    assert first.user.pk != second.user.pk, "both have the subject alice"
    pk = first.user.pk
    token_backends.close()
    assert identity(access_token(alpha.origin)).user.pk == pk
    del project.entries[alpha.origin]
    token_backends.forget_issuer()
    assert not authenticate_token(access_token(alpha.origin), "default", request)


def test_signals_name_the_routing_backend_and_the_issuer(project: Project, alpha: MisbehavingServer) -> None:
    project.entries[alpha.origin] = remote(alpha, issuer=alpha.origin)
    alpha.behave("active", aud=AUDIENCE)
    named = []

    def receive(backend: str, **_: Any) -> None:
        named.append(backend)

    token_answered.connect(receive)
    try:
        assert introspect(access_token(alpha.origin))
    finally:
        token_answered.disconnect(receive)
    assert named == [f"default:{alpha.origin}"]


def test_kept_answers_belong_to_one_issuer_and_are_purged_with_the_others(
    project: Project, alpha: MisbehavingServer, beta: MisbehavingServer
) -> None:
    for server in (alpha, beta):
        server.behave("active", aud=AUDIENCE)
        project.entries[server.origin] = {**remote(server, issuer=server.origin), "CACHE": {}}
    tokens = [access_token(alpha.origin), access_token(beta.origin)]

    for purged, asked in ((False, 1), (False, 1), (True, 2)):
        if purged:
            token_backends["default"].purge()
        assert all(introspect(token) for token in tokens)
        assert [len(server.requests) for server in (alpha, beta)] == [asked, asked]
    token_backends["default"].purge(tokens[0])
    assert all(introspect(token) for token in tokens)
    assert [len(server.requests) for server in (alpha, beta)] == [3, 2]


def test_tenants_with_one_key_set_fetch_it_once(settings: Any, alpha: MisbehavingServer) -> None:
    def find(issuer: str) -> Any:
        return {"BACKEND": JWT, "OPTIONS": {"jwks_uri": f"{alpha.origin}{JWKS}"}}

    settings.TOKEN_INTROSPECTION = routing(find, max_issuers=3)
    tenants = [f"https://login.example/{number}/v2.0" for number in range(10)]

    for tenant in tenants * 2:
        assert introspect(access_token(tenant))["iss"] == tenant
    assert len(alpha.requests_at(JWKS)) == 1
    assert introspect(access_token(tenants[0], name="unknown")) is None
    for tenant in tenants[1:]:
        with pytest.raises(IntrospectionUnavailable):  # the fetch that a foreign kid causes was a moment ago
            introspect(access_token(tenant, name="unknown"))
    assert len(alpha.requests_at(JWKS)) == 2
    assert alpha.connections == 1, "the issuers that were closed leave the connection to the others"
    backend = directory().made()[0]
    token_backends.close()
    assert backend._transport._pool.connections == []


def test_a_view_answers_200_401_and_503(project: Project, alpha: MisbehavingServer) -> None:
    broken = "https://broken.example"
    project.entries = {alpha.origin: {"BACKEND": JWT}, broken: {}}

    class View(APIView):
        authentication_classes = [IntrospectionAuthentication]

        def get(self, request: Any) -> Response:
            return Response({"issuer": request.auth.iss})

    def status(token: str) -> int:
        request = RequestFactory().get("/", headers={"Authorization": f"Bearer {token}"})
        return int(View.as_view()(request).status_code)

    assert status(access_token(alpha.origin)) == 200
    assert status(access_token(STRANGER)) == 401
    assert status(access_token(broken)) == 503


def test_two_settings_are_refused_at_start_up(settings: Any) -> None:
    for options, problem in (
        ({"issuers": "tests.nowhere.find"}, r"\['issuers'\] cannot be imported \(ModuleNotFoundError\)"),
        ({"issuers": 7}, r"\['issuers'\] must be a function, its dotted path, or a dictionary"),
        ({"issuers": "tests.settings.AUDIENCE"}, r"\['issuers'\] must be a function"),
        ({"timeout": 0}, r"\['timeout'\] must be a positive number of seconds"),
        ({"max_issuers": 0}, r"\['max_issuers'\] must be a whole number, 1 or more"),
    ):
        settings.TOKEN_INTROSPECTION = routing(dict, **{"issuers": {}.get, **options})
        with pytest.raises(InvalidBackend, match=problem):
            token_backends["default"]


MAPPED = {"RESOLVER": "django_introspection.resource_server.local_users.LocalUser", "OPTIONS": {"claim": "email"}}


def test_users_are_never_named_by_a_claim_of_an_issuer_that_comes_and_goes(
    settings: Any, alpha: MisbehavingServer, caplog: Any
) -> None:
    settings.TOKEN_INTROSPECTION = routing({}.get, user=MAPPED)
    assert [message.id for message in checks.run_checks(tags=[TAG]) if message.level >= checks.ERROR] == [
        "introspection.E034"
    ]

    settings.TOKEN_INTROSPECTION = routing(lambda issuer: {"BACKEND": JWT, "USER": MAPPED})
    with pytest.raises(IntrospectionUnavailable):
        authenticate_token(access_token(alpha.origin, email="a@b.example"), "default", RequestFactory().get("/"))
    assert "must map by 'identity'" in caplog.text


def resolver(user: Any, request: Any) -> Any:
    user.name = "resolved"
    return user


def test_the_user_of_an_issuer_is_resolved_by_its_own_entry_or_by_the_routing_backend(
    settings: Any, alpha: MisbehavingServer
) -> None:
    entry: dict[str, Any] = {"BACKEND": JWT}
    path = f"{__name__}.resolver"
    for own, shared in ((path, None), (None, path)):
        settings.TOKEN_INTROSPECTION = routing(lambda issuer, own=own: {**entry, "USER": own}, user=shared)
        found = authenticate_token(access_token(alpha.origin), "default", RequestFactory().get("/"))
        assert isinstance(found, Identity)
        assert found.user.name == "resolved"


def test_the_checks_accept_a_backend_that_looks_issuers_up(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = routing({}.get)

    assert checks.run_checks(tags=[TAG]) == []


def test_the_metadata_names_the_resource_of_the_routing_backend_and_no_issuer(
    project: Project, alpha: MisbehavingServer, client: Any
) -> None:
    project.entries[alpha.origin] = {"BACKEND": JWT}
    assert introspect(access_token(alpha.origin))

    document = client.get("/.well-known/oauth-protected-resource/orders").json()
    assert document["resource"] == AUDIENCE
    assert "authorization_servers" not in document
    asked = list(project.asked)
    for token in (access_token(STRANGER), access_token(alpha.origin, exp=1)):
        url = metadata_url("default", Presented(token))
        assert url == "https://api.example.com/.well-known/oauth-protected-resource/orders"
    assert project.asked == asked, "no challenge costs a look-up"
