"""Cut-offs end tokens that were issued up to a moment, in the round trip that reads tombstones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import cache, caches

from django_introspection import aintrospect, cut_offs, introspect, revocations, token_backends
from django_introspection.conf import introspection_settings
from django_introspection.cut_offs import Kind
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from django_introspection.protocol.errors import RevocationsLost
from tests import caches as test_caches
from tests.backends.feed_server import until
from tests.backends.issuers import access_token, jwt_settings, public, publish
from tests.misbehaving.server import MisbehavingServer
from tests.settings import AUDIENCE

CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
PLACE = {"ALIAS": "default", "TOMBSTONES": False}


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count how often the app with the table is asked to restore cut-offs, which no test here has a table for."""
    asked: list[str] = []
    restorer = cut_offs._Restorer()
    restorer.register(lambda: asked.append("restore"))
    monkeypatch.setattr(cut_offs, "_restorer", restorer)
    return asked


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as running:
        publish(running, public())
        yield running


def configure(settings: Any, server: MisbehavingServer, *, place: Any = None, **options: Any) -> None:
    entry = jwt_settings(server.origin, cut_offs=True, **options)
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": entry}, "REVOCATIONS": PLACE if place is None else place}
    mark()


def mark() -> None:
    place = introspection_settings.REVOCATIONS
    assert place is not None
    cut_offs.begin_restoring("test", place)
    cut_offs.end_restoring("test", "writer", place)


def cut(issuer: str, kind: Kind, value: str, moment: int) -> None:
    place = introspection_settings.REVOCATIONS
    assert place is not None
    cut_offs.write({cut_offs.name_of(issuer, kind, value): moment}, 60, place)


@pytest.fixture
def counted(settings: Any) -> list[str]:
    settings.CACHES = {"default": {**test_caches.counting(), "KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"]}}
    return test_caches.CALLS


@CALLS
@pytest.mark.parametrize(
    ("kind", "claim", "value"),
    [
        (Kind.SUBJECT, "sub", "alice"),
        (Kind.SESSION, "sid", "session-1"),
        (Kind.CLIENT, "client_id", "app"),
        (Kind.GRANT, "grant_id", "grant-1"),
        (Kind.TOKEN, "jti", "token-1"),
    ],
)
def test_a_token_that_was_never_seen_ends_with_its_subject_session_client_or_grant(
    call: Any, kind: Kind, claim: str, value: str, server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, server)
    now = int(time.time())
    token, other = access_token(server.origin, **{claim: value}), access_token(server.origin, **{claim: "another"})
    assert call(token)

    cut(server.origin, kind, value, now + 1)

    assert call(token) is None
    assert call(other)


@CALLS
@pytest.mark.parametrize(("issued", "accepted"), [(-1, False), (0, False), (0.9, False), (1, True), (1.5, True)])
def test_a_token_of_the_second_of_the_cut_off_ends_and_one_of_the_next_second_does_not(
    call: Any, issued: float, accepted: bool, server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, server)
    moment = int(time.time()) - 5
    cut(server.origin, Kind.SUBJECT, "alice", moment)

    assert bool(call(access_token(server.origin, iat=moment + issued))) is accepted


@CALLS
def test_a_token_without_a_moment_ends_if_its_subject_has_a_cut_off(
    call: Any, server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, server, require_at_jwt=False)
    token = access_token(server.origin, iat=None)
    assert call(token)

    cut(server.origin, Kind.SUBJECT, "alice", 1)

    assert call(token) is None


def test_a_cut_off_of_another_issuer_ends_nothing(server: MisbehavingServer, settings: Any) -> None:
    configure(settings, server)
    cut("https://other.example", Kind.SUBJECT, "alice", int(time.time()))

    assert introspect(access_token(server.origin))


def test_keys_in_the_cache_show_nobody(server: MisbehavingServer, settings: Any) -> None:
    configure(settings, server)
    cut(server.origin, Kind.SUBJECT, "alice@example.com", 1)

    assert not [key for key in test_caches.keys(caches["default"]) if "alice" in key]


@CALLS
def test_without_the_marker_no_token_is_accepted_and_a_cut_off_still_counts(
    call: Any, server: MisbehavingServer, settings: Any, restored: list[str]
) -> None:
    configure(settings, server)
    test_caches.empty()
    cut(server.origin, Kind.SUBJECT, "bob", int(time.time()) + 1)

    assert call(access_token(server.origin, sub="bob")) is None
    for _ in range(3):
        with pytest.raises(RevocationsLost):
            call(access_token(server.origin))
    assert restored == ["restore"]


@CALLS
def test_a_cut_off_that_cannot_be_read_lets_nothing_in(call: Any, server: MisbehavingServer, settings: Any) -> None:
    configure(settings, server)
    place = introspection_settings.REVOCATIONS
    assert place is not None
    name = cut_offs.name_of(server.origin, Kind.SUBJECT, "alice")
    cache.set(cut_offs.key_of(name, place), "text of another program")

    with pytest.raises(IntrospectionUnavailable):
        call(access_token(server.origin))


@CALLS
def test_the_server_that_is_asked_then_does_not_stand_in_for_cut_offs(
    call: Any, server: MisbehavingServer, settings: Any
) -> None:
    with MisbehavingServer() as second:
        configure(settings, server, then_ask="second")
        values = second.settings()["BACKENDS"]["default"]
        backends = {**settings.TOKEN_INTROSPECTION["BACKENDS"], "second": values}
        settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "BACKENDS": backends}

        with pytest.raises(IntrospectionUnavailable):
            call(access_token(server.origin))


@CALLS
def test_tombstone_cut_offs_and_both_markers_cost_one_call(
    call: Any, counted: list[str], server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, server, place={})
    revocations.set_markers()
    token = access_token(server.origin, sid="session-1")
    assert call(token)
    counted.clear()

    assert call(token)

    assert counted == ["get_many"]


def test_a_backend_without_the_option_reads_no_cut_off(
    counted: list[str], server: MisbehavingServer, settings: Any
) -> None:
    entry = jwt_settings(server.origin)
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": entry}, "REVOCATIONS": PLACE}
    counted.clear()

    assert introspect(access_token(server.origin))

    assert counted == []


@pytest.fixture
def remote(authorization_server: MisbehavingServer, settings: Any) -> MisbehavingServer:
    """The backend asks the server and keeps answers."""
    settings.TOKEN_INTROSPECTION = remote_values(authorization_server)
    mark()
    return authorization_server


def remote_values(server: MisbehavingServer, *, place: Any = None, **kept: Any) -> dict[str, Any]:
    values = server.settings(issuer=server.origin, cut_offs=True)
    values["BACKENDS"]["default"]["CACHE"] = kept
    return {**values, "REVOCATIONS": PLACE if place is None else place}


def answer(server: MisbehavingServer, **changes: Any) -> None:
    now = int(time.time())
    members = {"active": True, "sub": "alice", "aud": AUDIENCE, "iat": now - 5, "exp": now + 600, **changes}
    server.behave("active", **{name: value for name, value in members.items() if value is not None})


def keep_beside_cut_offs(call: Any, server: MisbehavingServer, settings: Any) -> None:
    """Let an answer be kept in the cache of the cut-offs, and its keys of cut-offs be learned."""
    settings.TOKEN_INTROSPECTION = remote_values(server, place={})
    mark()
    revocations.set_markers()
    answer(server)
    assert call("token")
    assert call("token")


@CALLS
def test_a_kept_answer_ends_with_a_cut_off(call: Any, remote: MisbehavingServer) -> None:
    answer(remote)
    assert call("token")
    assert call("token")
    assert len(remote.requests) == 1

    cut(remote.origin, Kind.SUBJECT, "alice", int(time.time()))

    assert call("token") is None


@CALLS
def test_an_answer_that_the_server_gives_after_the_cut_off_is_refused_and_kept_as_inactive(
    call: Any, remote: MisbehavingServer
) -> None:
    answer(remote)
    cut(remote.origin, Kind.SUBJECT, "alice", int(time.time()))

    assert call("token") is None
    assert call("token") is None

    assert len(remote.requests) == 1


@CALLS
@pytest.mark.parametrize(
    ("issued", "accepted"),
    [(9e15, False), (float(2**70), False), (-5, False), (60, False), (1, True)],
    ids=["year 9999", "2**70", "before", "future", "after"],
)
def test_a_token_that_says_nothing_about_its_age_ends_with_its_subject(
    call: Any, issued: float, accepted: bool, remote: MisbehavingServer
) -> None:
    moment = int(time.time()) - 5
    answer(remote, iat=_far_or_near(issued, moment))
    cut(remote.origin, Kind.SUBJECT, "alice", moment)

    assert bool(call("token")) is accepted


def _far_or_near(issued: float, moment: int) -> float:
    return issued if issued > 1e9 else moment + issued


@CALLS
@pytest.mark.parametrize("as_sent", [int, str])
@pytest.mark.parametrize(("issued", "accepted"), [(-1, False), (1, True)])
def test_a_moment_in_milliseconds_is_compared_in_seconds(
    call: Any, issued: int, accepted: bool, as_sent: Any, remote: MisbehavingServer
) -> None:
    moment = int(time.time()) - 5
    answer(remote, iat=as_sent((moment + issued) * 1000 + 7))
    cut(remote.origin, Kind.SUBJECT, "alice", moment)

    assert bool(call("token")) is accepted


@CALLS
def test_a_token_issued_after_the_cut_off_is_accepted(call: Any, remote: MisbehavingServer) -> None:
    cut(remote.origin, Kind.SUBJECT, "alice", int(time.time()) - 60)
    answer(remote)

    assert call("token")
    assert call("token")


@CALLS
def test_a_kept_answer_costs_one_more_call_once_and_then_none(
    call: Any, counted: list[str], remote: MisbehavingServer, settings: Any
) -> None:
    keep_beside_cut_offs(call, remote, settings)
    counted.clear()

    assert call("token")
    assert call("token")

    assert counted == ["get_many", "get_many"]


@CALLS
def test_a_member_that_a_later_answer_adds_is_compared_with_cut_offs_as_well(
    call: Any, remote: MisbehavingServer, settings: Any
) -> None:
    keep_beside_cut_offs(call, remote, settings)
    token_backends["default"].purge()
    answer(remote, sid="session")
    assert call("token")

    cut(remote.origin, Kind.SESSION, "session", int(time.time()))

    assert call("token") is None
    assert len(remote.requests) == 2


@CALLS
def test_a_stale_answer_does_not_outlive_a_cut_off(call: Any, remote: MisbehavingServer, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = remote_values(remote, MAX_AGE=1, STALE_IF_ERROR=600)
    answer(remote)
    assert call("token")
    cut(remote.origin, Kind.SUBJECT, "alice", int(time.time()))
    remote.behave("status", code=500)

    assert call("token") is None


@CALLS
def test_a_request_after_the_cut_off_does_not_share_an_answer_of_before(
    call: Any, remote: MisbehavingServer, settings: Any
) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.caches.SlowlyWritingCache", "LOCATION": __name__}}
    mark()
    answer(remote)
    test_caches.SlowlyWritingCache.told.clear()
    test_caches.CALLS.clear()
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(introspect, "token")
        until(lambda: "slow set" in test_caches.CALLS)
        assert call("token"), "the answer that is being written is shared"
        cut(remote.origin, Kind.SUBJECT, "alice", int(time.time()))

        assert call("token") is None
        test_caches.SlowlyWritingCache.told.set()
        assert before.result()

    assert call("token") is None
    assert len(remote.requests) == 1


@CALLS
def test_an_answer_is_not_accepted_if_cut_offs_cannot_be_read(
    call: Any, remote: MisbehavingServer, settings: Any
) -> None:
    answer(remote)
    test_caches.empty()

    with pytest.raises(RevocationsLost):
        call("token")


@pytest.mark.parametrize("missing", ["issuer", "REVOCATIONS"])
def test_the_option_needs_an_issuer_and_a_cache(missing: str, remote: MisbehavingServer, settings: Any) -> None:
    values = remote_values(remote)
    if missing == "issuer":
        del values["BACKENDS"]["default"]["OPTIONS"]["issuer"]
    else:
        del values["REVOCATIONS"]
    settings.TOKEN_INTROSPECTION = values

    with pytest.raises(InvalidBackend, match=r"\['cut_offs'\] needs the (option issuer|setting REVOCATIONS)"):
        token_backends["default"]


def test_a_cache_that_is_down_lets_no_jwt_in(server: MisbehavingServer, settings: Any) -> None:
    configure(settings, server)
    settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}

    with pytest.raises(IntrospectionUnavailable):
        introspect(access_token(server.origin))
