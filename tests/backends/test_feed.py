"""Kept answers end with the feed of revocations, and are not used without it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.backends import feed as feed_module
from django_introspection.backends.feed import Feed
from django_introspection.backends.feed_options import FeedOptions
from django_introspection.backends.revoked_tokens import identity_of
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from django_introspection.protocol.jwt import token_identity
from django_introspection.signals import feed_changed, revocations_received

from .feed_server import FeedServer, until
from .issuers import jwt_settings

CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])


@pytest.fixture
def server(settings: Any) -> Iterator[FeedServer]:
    with FeedServer() as server:
        settings.TOKEN_INTROSPECTION = server.settings()
        yield server


def feed() -> Feed:
    found = token_backends["default"].feed
    assert found is not None
    return found


def follow() -> Feed:
    """Let this process follow the feed, and return it when it is fresh."""
    introspect("the first token")
    until(lambda: feed().is_fresh)
    return feed()


def knows(token: str) -> bool:
    return identity_of(token_identity(token)) in feed().tokens


@CALLS
def test_a_kept_answer_is_used_until_the_feed_names_its_token(call: Any, server: FeedServer) -> None:
    follow()
    assert call("a")
    assert call("a")
    assert server.questions.count("a") == 1

    server.end("a")
    until(lambda: knows("a"))

    assert call("a") is None
    assert server.questions.count("a") == 2


def test_a_revoked_token_is_asked_about_no_more_often_than_any_inactive_one(server: FeedServer) -> None:
    follow()
    assert introspect("a")
    server.end("a")
    until(lambda: knows("a"))

    assert [introspect("a") for _ in range(5)] == [None] * 5
    assert server.questions.count("a") == 2


def test_before_the_first_reading_nothing_that_is_kept_is_used(server: FeedServer) -> None:
    server.fault = lambda: (503, None, {})

    assert introspect("a")
    assert introspect("a")

    assert server.questions.count("a") == 2


def test_what_ended_before_this_process_began_is_known(server: FeedServer, settings: Any) -> None:
    """The answer is in the cache that processes share, and was active then."""
    assert introspect("a")
    server.end("a")
    token_backends.close()

    follow()

    assert introspect("a") is None


def test_an_answer_that_was_under_way_during_the_revocation_is_not_kept_alive(server: FeedServer) -> None:
    follow()
    is_asked, may_answer = threading.Event(), threading.Event()

    def hold(token: str) -> None:
        is_asked.set()
        assert may_answer.wait(20)

    server.before_answer = hold
    found: list[Any] = []
    asking = threading.Thread(target=lambda: found.append(introspect("a")))
    asking.start()
    assert is_asked.wait(20)
    server.end("a")
    until(lambda: knows("a"))
    server.before_answer = lambda token: None
    may_answer.set()
    asking.join(20)
    assert found[0]  # it began before the revocation

    assert introspect("a") is None


def test_a_request_after_the_revocation_does_not_share_a_question_of_before(server: FeedServer) -> None:
    follow()
    is_asked, may_answer = threading.Event(), threading.Event()

    def hold(token: str) -> None:
        if not is_asked.is_set():
            is_asked.set()
            assert may_answer.wait(20)

    server.before_answer = hold
    asking = threading.Thread(target=lambda: introspect("a"))
    asking.start()
    assert is_asked.wait(20)
    server.end("a")
    until(lambda: knows("a"))

    assert introspect("a") is None
    may_answer.set()
    asking.join(20)


def test_with_a_late_feed_no_request_shares_a_question_of_before_the_revocation(
    server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow().close()
    backend: Any = token_backends["default"]
    board, boarded = backend._flights.board, []
    monkeypatch.setattr(backend._flights, "board", lambda *args: boarded.append(args) or board(*args))
    is_asked, may_answer = threading.Event(), threading.Event()

    def hold(token: str) -> None:
        is_asked.set()
        assert may_answer.wait(20)

    server.before_answer = hold
    answers: list[Any] = []
    first = threading.Thread(target=lambda: introspect("a"))
    second = threading.Thread(target=lambda: answers.append(introspect("a")))
    first.start()
    assert is_asked.wait(20)
    server.end("a", is_heard=False)
    second.start()
    until(lambda: len(boarded) == 2)
    may_answer.set()
    first.join(20)
    second.join(20)

    assert answers == [None]


def test_a_token_that_is_active_again_is_kept_again(server: FeedServer, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = server.settings(cache={"LOCAL_MAX_AGE": 60, "INACTIVE_MAX_AGE": 0})
    follow()
    server.end("a")
    until(lambda: knows("a"))
    assert introspect("a") is None

    server.restore("a")
    until(lambda: not knows("a"))

    assert introspect("a")
    assert introspect("a")
    assert server.questions.count("a") == 2


def late(feed: Feed) -> None:
    """Let the feed be late without waiting for it."""
    feed._fresh_until = time.monotonic()


@pytest.mark.parametrize("local", [0, 60], ids=["shared cache", "in the process"])
def test_a_late_feed_lets_every_active_answer_be_asked_for(local: int, server: FeedServer, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = server.settings(cache={"LOCAL_MAX_AGE": local})
    followed = follow()
    assert introspect("a")
    server.fault = lambda: (500, None, {})
    server.end("a", is_heard=False)
    until(lambda: not followed.is_fresh)

    assert introspect("a") is None


def test_a_token_that_became_inactive_while_the_feed_was_late_does_not_come_back(
    server: FeedServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = server.settings(cache={"INACTIVE_MAX_AGE": 0, "STALE_IF_ERROR": 600})
    followed = follow()
    assert introspect("a")
    server.fault = lambda: (500, None, {})
    server.end("a", is_heard=False)
    until(lambda: not followed.is_fresh)
    assert introspect("a") is None
    server.fault = None
    until(lambda: followed.is_fresh)

    assert introspect("a") is None


def test_a_late_feed_accepts_nothing_if_the_server_cannot_be_asked(server: FeedServer, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = server.settings(cache={"LOCAL_MAX_AGE": 60, "STALE_IF_ERROR": 600})
    followed = follow()
    assert introspect("a")

    with server.refusing():
        until(lambda: not followed.is_fresh)
        with pytest.raises(IntrospectionUnavailable):
            introspect("a")


def test_with_tombstones_a_late_feed_leaves_the_shared_cache_in_use(server: FeedServer, settings: Any) -> None:
    from django_introspection import revocations

    settings.TOKEN_INTROSPECTION = {**server.settings(), "REVOCATIONS": {}}
    revocations.set_markers()
    followed = follow()
    assert introspect("a")
    followed.close()

    assert introspect("a")
    assert server.questions.count("a") == 1


def test_without_tombstones_a_late_feed_lets_every_active_answer_be_asked_for(
    server: FeedServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**server.settings(), "REVOCATIONS": {"TOMBSTONES": False}}
    followed = follow()
    assert introspect("a")
    followed.close()
    server.end("a", is_heard=False)

    assert introspect("a") is None


FAULTS: dict[str, Any] = {
    "status": lambda: (500, None, {}),
    "refused": lambda: (401, {"error": "invalid_client"}, {}),
    "forbidden": lambda: (403, {"error": "unauthorized_client"}, {}),
    "not there": lambda: (404, None, {}),
    "busy": lambda: (429, None, {"Retry-After": "1"}),
    "no JSON object": lambda: (200, ["a"], {}),
    "no members": lambda: (200, {}, {}),
    "a wrong identity": lambda: (200, page(changes=[["AAAA", 1]]), {}),
    "a wrong expiry": lambda: (200, page(changes=[["AAAAAAAAAAA", "1"]]), {}),
    "an expiry that is null": lambda: (200, page(changes=[["AAAAAAAAAAA", None]]), {}),
    "a change with three parts": lambda: (200, page(changes=[["AAAAAAAAAAA", 1, 2]]), {}),
    "a change that is an object": lambda: (200, page(changes=[{"AAAAAAAAAAA": 1}]), {}),
    "a change that is text": lambda: (200, page(changes=["AAAAAAAAAAA"]), {}),
    "an empty change": lambda: (200, page(changes=[[]]), {}),
    "a change of three": lambda: (200, page(changes=[["AAAAAAAAAAA", 1, 2]]), {}),
    "a number as a flag": lambda: (200, page(more=0), {}),
    "a flag as a number": lambda: (200, page(now=True), {}),
    "an empty cursor": lambda: (200, page(cursor=""), {}),
    "a long cursor": lambda: (200, page(cursor="x" * 1001), {}),
}


def page(**members: Any) -> dict[str, Any]:
    usual = {"cursor": "1.0", "restart": False, "more": False, "now": int(time.time()), "pause": 0, "changes": []}
    return {**usual, "policy": "any", "resources": [], **members}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_feed_that_cannot_be_read_is_late(fault: Any, server: FeedServer) -> None:
    server.fault = fault

    introspect("a")
    until(lambda: feed().last_failure)

    assert not feed().is_fresh
    assert introspect("a")
    assert server.questions.count("a") == 2


def test_a_request_that_hangs_makes_the_feed_late(server: FeedServer) -> None:
    followed, over = follow(), threading.Event()

    def hang() -> Any:
        over.wait(20)
        return 500, None, {}

    server.fault = hang
    try:
        until(lambda: not followed.is_fresh)
        assert introspect("a")
        assert introspect("a")
        assert server.questions.count("a") == 2
    finally:
        over.set()


def test_a_feed_that_comes_back_is_used_again(server: FeedServer) -> None:
    followed = follow()
    with server.refusing():
        until(lambda: not followed.is_fresh)
        server.end("a")

    until(lambda: followed.is_fresh)
    assert knows("a")


def test_a_cursor_may_have_a_thousand_characters(server: FeedServer) -> None:
    server.fault = lambda: (200, page(cursor="x" * 1000), {})

    follow()

    until(lambda: len(server.polls) > 1)
    assert server.polls[-1]["after"] == "x" * 1000


def test_each_failure_doubles_the_pause_up_to_a_quarter_of_the_delay(
    server: FeedServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[tuple[float, float]] = []

    def at_once(shortest: float, longest: float) -> float:
        pauses.append((shortest, longest))
        return 0

    monkeypatch.setattr(feed_module, "uniform", at_once)
    settings.TOKEN_INTROSPECTION = server.settings(MAX_DELAY=14)
    server.fault = FAULTS["status"]

    introspect("a")
    until(lambda: len(pauses) >= 6)

    assert pauses[:6] == [(0.125, 0.25), (0.25, 0.5), (0.5, 1), (1, 2), (1.75, 3.5), (1.75, 3.5)]


def test_pages_count_when_the_last_one_has_come(server: FeedServer) -> None:
    server.page_size = 2
    for number in range(5):
        server.end(f"token {number}")

    follow()

    assert all(knows(f"token {number}") for number in range(5))
    assert [poll.get("wait") for poll in server.polls[:3]] == [None] * 3


def test_a_server_that_lost_its_history_lets_kept_answers_be_asked_for(server: FeedServer) -> None:
    followed = follow()
    assert introspect("a")
    server.end("b")
    until(lambda: knows("b"))
    restarted = threading.Event()
    followed.on_restart.append(restarted.set)
    server.end("a", is_heard=False)

    server.lose_history()
    assert restarted.wait(20)
    until(lambda: followed.is_fresh)

    assert introspect("a") is None
    assert knows("b")  # it ended, whatever the server remembers


@pytest.mark.parametrize("seconds", [-3600, 3600], ids=["back", "forward"])
def test_a_clock_that_was_set_makes_the_feed_late(seconds: int, server: FeedServer) -> None:
    followed = follow()
    followed.close()  # no further reading
    followed._fresh_until = time.monotonic() + 60
    assert followed.is_fresh

    with time_machine.travel(time.time() + seconds, tick=True):
        assert not followed.is_fresh


@pytest.mark.parametrize(("ahead", "is_fresh"), [(3600, False), (20, True), (-3600, True)])
def test_a_machine_whose_clock_is_behind_does_not_trust_the_feed(
    ahead: int, is_fresh: bool, server: FeedServer
) -> None:
    """It would accept a token for longer than the server names it; a clock that is ahead rejects tokens early."""
    server.clock_ahead = ahead
    introspect("a")
    until(lambda: feed().is_fresh or feed().last_failure)

    assert feed().is_fresh is is_fresh
    assert (feed().last_failure is None) is is_fresh


@pytest.mark.parametrize("leeway", [0, 30, 300])
@pytest.mark.parametrize("ahead", [0, -3600])
def test_an_identity_outlives_its_token_by_the_clock_of_the_server(
    ahead: int, leeway: int, server: FeedServer, settings: Any
) -> None:
    """A clock that is behind by LEEWAY and a second is tolerated, and its machine accepts a token for LEEWAY more."""
    settings.TOKEN_INTROSPECTION = {**server.settings(), "LEEWAY": leeway}
    server.clock_ahead = ahead
    follow()
    server.end("a", lifetime=100)
    until(lambda: knows("a"))

    (end,) = feed().tokens._ends
    assert 100 + 2 * leeway + 1 < end - time.monotonic() <= 100 + 2 * leeway + feed_module.MARGIN + 2


def test_an_identity_is_forgotten_when_nothing_could_accept_the_token(server: FeedServer) -> None:
    follow()
    server.end("a")
    until(lambda: knows("a"))

    feed().tokens.forget(int(time.monotonic()) + 600 + 2 * 30 + 1)
    assert knows("a")
    feed().tokens.forget(int(time.monotonic()) + 600 + 2 * 30 + feed_module.MARGIN + 2)
    assert not knows("a")


def test_a_feed_that_is_not_used_starts_no_thread(server: FeedServer) -> None:
    assert not feed()._thread
    token_backends.problem("default")

    assert server.polls == []


def test_a_closed_backend_reads_no_more(server: FeedServer) -> None:
    followed = follow()
    thread = followed._thread
    token_backends.close()

    assert not followed.is_fresh
    assert thread is not None
    thread.join(20)
    assert not thread.is_alive()
    followed.start()
    assert followed._thread is thread


def test_a_page_that_comes_after_the_close_makes_nothing_fresh(server: FeedServer) -> None:
    followed = follow()
    server.end("a")
    until(lambda: knows("a"))
    token_backends.close()

    followed._take(followed.read_now(), time.monotonic(), time.time() - 1)

    assert not followed.is_fresh


def test_an_error_in_the_thread_ends_neither_the_thread_nor_caution(
    server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = follow()

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(followed, "_take", fail)
    server.end("a")
    until(lambda: followed.last_failure == "ZeroDivisionError")
    until(lambda: not followed.is_fresh)
    monkeypatch.undo()

    until(lambda: followed.is_fresh)
    assert knows("a")


def test_signals_tell_of_changes_and_of_the_state(server: FeedServer) -> None:
    seen: list[Any] = []

    def received(backend: str, count: int, age: int | None, **_: Any) -> None:
        seen.append((backend, count, age))

    def changed(backend: str, is_fresh: bool, **_: Any) -> None:
        seen.append((backend, is_fresh))

    revocations_received.connect(received)
    feed_changed.connect(changed)
    try:
        followed = follow()
        until(lambda: ("default", True) in seen)
        server.end("a")
        until(lambda: ("default", 1, 0) in seen)
        with server.refusing():
            until(lambda: ("default", False) in seen)
    finally:
        revocations_received.disconnect(received)
        feed_changed.disconnect(changed)
    assert followed.last_failure is not None


def test_no_log_and_no_failure_holds_a_secret(server: FeedServer, caplog: pytest.LogCaptureFixture) -> None:
    followed = follow()
    with server.refusing():
        until(lambda: followed.last_failure)

    assert "the feed of revocations cannot be read backend=default" in caplog.text
    assert "secret" not in caplog.text + str(followed.last_failure)


WRONG: dict[str, tuple[Any, str]] = {
    "no dictionary": ("feed", "must be a dictionary"),
    "unknown key": ({"FEED": True, "FEEDS": 1}, "has unknown keys: 'FEEDS' (did you mean 'FEED'?)"),
    "no feed": ({}, "['FEED'] must be True or 'database'"),
    "no flag": ({"FEED": 1}, "['FEED'] must be True or 'database'"),
    "another word": ({"FEED": "databases"}, "['FEED'] must be True or 'database'"),
    "an address beside the database": (
        {"FEED": "database", "URL": "https://a.example/"},
        "['URL'] must not be set: the feed is read from the database",
    ),
    "no address": ({"FEED": True}, "['URL'] is required"),
    "a wrong address": ({"FEED": True, "URL": "http://as.example/"}, "['URL'] must be an https URL"),
    "no text as address": ({"FEED": True, "URL": 5}, "['URL'] must be an https URL"),
    "too short": ({"FEED": True, "URL": "https://a.example/", "MAX_DELAY": 1}, "['MAX_DELAY'] must be a whole number"),
    "too long": ({"FEED": True, "URL": "https://a.example/", "MAX_DELAY": 301}, "['MAX_DELAY'] must be a whole number"),
    "no number": ({"FEED": True, "URL": "https://a.example/", "MAX_DELAY": True}, "['MAX_DELAY'] must be a whole"),
}


@pytest.mark.parametrize(("entry", "problem"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_named_with_its_place(entry: Any, problem: str, server: FeedServer, settings: Any) -> None:
    values = server.settings()
    values["BACKENDS"]["default"]["REVOCATIONS"] = entry
    settings.TOKEN_INTROSPECTION = values

    with pytest.raises(InvalidBackend) as raised:
        token_backends["default"]

    place = "TOKEN_INTROSPECTION['BACKENDS']['default']['REVOCATIONS']"
    assert str(raised.value).startswith(place)
    assert problem in str(raised.value)


@pytest.mark.parametrize(("leeway", "is_taken"), [(300, True), (301, False)])
def test_a_leeway_is_not_longer_than_the_server_allows_for(
    leeway: int, is_taken: bool, server: FeedServer, settings: Any
) -> None:
    asked = server.settings()["BACKENDS"]["default"]
    jwts = {**jwt_settings("https://as.example"), "REVOCATIONS": {"FEED": "default"}}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": asked, "jwts": jwts}, "LEEWAY": leeway}

    for alias in ("default", "jwts"):
        problem = token_backends.problem(alias)
        place = f"TOKEN_INTROSPECTION['BACKENDS'][{alias!r}]['REVOCATIONS']"
        assert (problem is None) is is_taken
        assert is_taken or f"{place} needs a LEEWAY of 300 seconds or less" in str(problem)


def test_a_backend_that_keeps_nothing_has_no_feed(settings: Any) -> None:
    database = {"BACKEND": "django_introspection.backends.DatabaseBackend", "REVOCATIONS": {"FEED": True}}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": database}}

    with pytest.raises(InvalidBackend, match="must not be set: DatabaseBackend keeps nothing"):
        token_backends["default"]


def test_the_checks_warn_of_no_level_that_the_feed_reaches(server: FeedServer, settings: Any) -> None:
    values = {**server.settings(), "REVOCATIONS": {}}
    settings.TOKEN_INTROSPECTION = values
    assert not {"W007", "W008"} & {message.id.rpartition(".")[2] for message in token_backends["default"].check()}

    del values["BACKENDS"]["default"]["REVOCATIONS"]
    settings.TOKEN_INTROSPECTION = dict(values)
    assert "introspection.W008" in {message.id for message in token_backends["default"].check()}


def test_a_reading_counts_from_its_begin_and_not_from_its_end(server: FeedServer) -> None:
    """What was revoked while the answer was on its way is perhaps not in it."""
    read = follow().last_page
    assert read is not None
    followed = Feed("another", None, FeedOptions(FEED=True, MAX_DELAY=10), 1)  # type: ignore[arg-type]  # nothing is read

    followed._take(read._replace(more=False), time.monotonic() - 11, time.time() - 11)
    assert not followed.is_fresh

    followed._take(read._replace(more=False), time.monotonic() - 9, time.time() - 9)
    assert followed.is_fresh
