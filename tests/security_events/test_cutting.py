"""Cut-offs are stored before they count, so that a cache that lost its data is restored."""

from __future__ import annotations

import os
import random
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import caches
from django.core.management import call_command
from django.core.signals import request_finished
from django.db import connection, transaction
from django.db.models import F
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from django_introspection import cut_offs
from django_introspection.conf import introspection_settings
from django_introspection.cut_offs import Kind
from django_introspection.exceptions import IntrospectionUnavailable, InvalidSetting
from django_introspection.protocol.token_info import TokenInfo
from django_introspection.security_events import cut_off, cutting, restoring
from django_introspection.security_events.cutting import own_name, purge_expired, write_cut_off
from django_introspection.security_events.models import CutOff, Writer
from django_introspection.security_events.restoring import (
    restore_cut_offs,
    restore_if_needed,
    restore_in_background,
)
from django_introspection.setting_values import Revocations
from tests import caches as test_caches

ISSUER = "https://id.example"
NOW = int(time.time())


@pytest.fixture(autouse=True)
def _place(settings: Any, db: None) -> None:
    settings.TOKEN_INTROSPECTION = {"REVOCATIONS": {"TOMBSTONES": False}}


def place() -> Revocations:
    found = introspection_settings.REVOCATIONS
    assert found is not None
    return found


def is_cut_off(sub: str = "alice", *, iat: int = NOW, **others: Any) -> bool:
    return cut_offs.is_cut_off(ISSUER, TokenInfo({"sub": sub, "iat": iat, **others}))


def is_marked() -> bool:
    return bool(caches["default"].get(cut_offs.marker_key(place())))


def put_markers() -> None:
    cut_offs.begin_restoring("test", place())
    cut_offs.end_restoring("test", own_name(), place())


@pytest.fixture
def no_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the sample find nothing, as it may if there are many cut-offs."""
    monkeypatch.setattr(restoring, "SAMPLE", 0)


@contextmanager
def another_project() -> Iterator[None]:
    """Have the empty tables of another project, and those of this one again afterwards."""
    kept = [*CutOff.objects.all(), *Writer.objects.all()]
    CutOff.objects.all().delete()
    Writer.objects.all().delete()
    yield
    CutOff.objects.all().delete()
    Writer.objects.all().delete()
    for row in kept:
        row.save(force_insert=True)


def write_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the cache refuse entries and delete them still, like a server that is full."""

    def refuse(*_: Any) -> None:
        raise IntrospectionUnavailable("the cache is full")

    monkeypatch.setattr(cut_offs, "write", refuse)


def test_a_cut_off_is_in_the_table_and_in_the_cache() -> None:
    restore_cut_offs()

    cut_off(ISSUER, subject="alice")

    row = CutOff.objects.get()
    assert (row.issuer, row.kind) == (ISSUER, "sub")
    assert abs(row.moment - time.time()) < 60
    assert row.expires_at - time.time() == pytest.approx(24 * 60 * 60, abs=60)
    assert is_cut_off()
    assert not is_cut_off("bob")


@pytest.mark.parametrize("name", ["subject", "session", "client", "grant", "token"])
def test_each_kind_ends_the_tokens_that_name_it(name: str) -> None:
    restore_cut_offs()
    claim = {"subject": "sub", "session": "sid", "client": "client_id", "grant": "grant_id", "token": "jti"}[name]

    cut_off(ISSUER, **{name: "one"})  # type: ignore[arg-type]  # the name of one string each

    assert is_cut_off(**{claim: "one"})
    assert not is_cut_off(**{claim: "two"})


def test_the_row_and_the_cache_show_nobody() -> None:
    cut_off(ISSUER, subject="alice@example.com")

    assert "alice" not in repr(CutOff.objects.values().get())
    assert not [key for key in test_caches.keys(caches["default"]) if "alice" in key]


def test_an_earlier_moment_never_takes_a_later_one_back() -> None:
    restore_cut_offs()
    cut_off(ISSUER, subject="alice", before=datetime.fromtimestamp(NOW, UTC))

    cut_off(ISSUER, subject="alice", before=datetime.fromtimestamp(NOW - 3600, UTC))

    assert CutOff.objects.get().moment == NOW
    assert is_cut_off(iat=NOW)


def test_a_moment_in_the_future_counts_as_now_and_the_leeway() -> None:
    cut_off(ISSUER, subject="alice", before=datetime.now(UTC) + timedelta(days=9))

    assert CutOff.objects.get().moment <= time.time() + introspection_settings.LEEWAY


@pytest.mark.parametrize("arguments", [{}, {"subject": "a", "session": "b"}, {"subject": ""}])
def test_other_arguments_are_an_error(arguments: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        cut_off(ISSUER, **arguments)  # type: ignore[arg-type]  # names of strings alone


def test_without_a_cache_nothing_is_cut_off(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {}

    with pytest.raises(InvalidSetting, match="REVOCATIONS"):
        cut_off(ISSUER, subject="alice")
    assert not CutOff.objects.exists()


def test_a_cache_that_lost_its_data_is_restored() -> None:
    restore_cut_offs()
    cut_off(ISSUER, subject="alice")
    test_caches.empty()

    restore_if_needed()

    assert is_cut_off()
    assert not is_cut_off("bob")


def test_an_expired_cut_off_is_not_restored_and_is_purged() -> None:
    cut_off(ISSUER, subject="alice")
    CutOff.objects.update(expires_at=NOW - 3600)
    test_caches.empty()

    assert restore_cut_offs() == 0
    assert not is_cut_off()
    assert purge_expired() == 1


def test_a_cut_off_that_the_cache_refused_is_stored_and_written_later(settings: Any) -> None:
    restore_cut_offs()
    with CacheDown(settings), pytest.raises(IntrospectionUnavailable):
        cut_off(ISSUER, subject="alice")

    restore_if_needed()  # in any process: this one remembers nothing, because its settings changed

    assert CutOff.objects.get().is_written
    assert is_cut_off()


def test_while_the_cache_refuses_a_stored_cut_off_it_has_no_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    restore_cut_offs()
    write_nothing(monkeypatch)
    with pytest.raises(IntrospectionUnavailable):
        cut_off(ISSUER, subject="alice")
    assert not is_marked()
    put_markers()

    restore_if_needed()

    assert not is_marked()
    assert not CutOff.objects.get().is_written


def test_a_cut_off_that_was_written_is_moved_and_then_refused(settings: Any) -> None:
    restore_cut_offs()
    cut_off(ISSUER, subject="alice", before=datetime.fromtimestamp(NOW - 3600, UTC))
    restore_if_needed()
    with CacheDown(settings), pytest.raises(IntrospectionUnavailable):
        cut_off(ISSUER, subject="alice", before=datetime.fromtimestamp(NOW, UTC))
    assert not is_cut_off()

    restore_if_needed()

    assert is_cut_off()


@pytest.mark.parametrize("moment", [None, NOW - 3600], ids=["no entry", "an older entry"])
def test_a_cache_that_lost_a_cut_off_and_kept_the_marker_is_restored(
    moment: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    restore_cut_offs()
    cut_off(ISSUER, subject="alice")
    restore_if_needed()
    key = cut_offs.key_of(cut_offs.name_of(ISSUER, Kind.SUBJECT, "alice"), place())
    caches["default"].delete(key) if moment is None else caches["default"].set(key, moment)
    assert not is_cut_off()

    restore_if_needed()

    assert is_cut_off()
    assert "lost or evicted" in caplog.text


def test_a_cut_off_that_is_not_among_the_latest_is_missed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "SAMPLE", 1)
    restore_cut_offs()
    for name in ("alice", "bob", "carol"):
        cut_off(ISSUER, subject=name)
    restore_cut_offs()
    alice = cut_offs.name_of(ISSUER, Kind.SUBJECT, "alice")
    CutOff.objects.filter(name=alice).update(expires_at=F("expires_at") - 3600)
    caches["default"].delete(cut_offs.key_of(alice, place()))
    monkeypatch.setattr(random, "random", lambda: 0.5)  # a moment after her cut-off and before the others

    restore_if_needed()

    assert is_cut_off()


@pytest.mark.usefixtures("no_sample")
def test_of_two_projects_with_one_cache_each_restores_its_own_cut_offs() -> None:
    restore_cut_offs()
    cut_off(ISSUER, subject="alice")
    restore_if_needed()
    test_caches.empty()
    with another_project():
        restore_if_needed()
        assert is_marked()

    restore_if_needed()

    assert is_cut_off()


@pytest.mark.usefixtures("no_sample")
def test_a_project_that_lost_a_cut_off_restores_although_another_one_was_faster() -> None:
    restore_cut_offs()
    cut_off(ISSUER, subject="alice")
    restore_if_needed()
    caches["default"].delete(cut_offs.key_of(cut_offs.name_of(ISSUER, Kind.SUBJECT, "alice"), place()))
    cut_offs.remove_markers(own_name(), place())
    with another_project():
        restore_if_needed()

    restore_if_needed()

    assert is_cut_off()


def test_a_project_keeps_its_name() -> None:
    name = own_name()

    assert own_name() == name
    with another_project():
        assert own_name() != name


def test_a_whole_cache_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    restore_cut_offs()
    cut_off(ISSUER, subject="alice")
    restore_if_needed()
    caplog.clear()
    with CaptureQueriesContext(connection) as queries:
        restore_if_needed()

    assert not [query for query in queries if not query["sql"].startswith("SELECT")]
    assert not caplog.records


def test_every_request_of_a_project_with_the_app_looks_for_missing_cut_offs() -> None:
    asked: list[str] = []
    apps.get_app_config("introspection_events").ready()  # now that REVOCATIONS is set
    cut_offs.restore_with(lambda: asked.append("look"))

    Browser().get("/no-such-page")
    Browser().get("/no-such-page")
    request_finished.disconnect(dispatch_uid="django_introspection.security_events.look_after_request")

    assert asked == ["look"], "once in some seconds"


def test_a_cache_that_is_emptied_while_it_is_restored_gets_no_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off(ISSUER, subject="alice")
    write = cut_offs.write

    def write_and_lose(*arguments: Any) -> None:
        write(*arguments)
        test_caches.empty()

    monkeypatch.setattr(cut_offs, "write", write_and_lose)
    with pytest.raises(IntrospectionUnavailable):
        restore_cut_offs()

    assert not is_marked()


@pytest.mark.parametrize("ours", [True, False])
def test_the_command_restores_cut_offs(ours: bool, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"REVOCATIONS": {}}
    cut_off(ISSUER, subject="alice")
    test_caches.empty()
    output = StringIO()

    if ours:
        call_command("introspection_token", "restore-tombstones", stdout=output)
        assert output.getvalue() == "Tombstones: 0\nCut-offs: 1\n"
    else:
        call_command("introspection_events", "restore", stdout=output)
        assert output.getvalue() == "Cut-offs: 1\n"

    assert is_cut_off()


def wait_for_the_thread() -> None:
    for thread in running():
        thread.join(10)


def running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "introspection-cut-offs"]


@pytest.mark.usefixtures("database_url")
def test_a_thread_restores_what_a_reader_misses() -> None:
    cut_off(ISSUER, subject="alice")
    test_caches.empty()

    restore_in_background()
    wait_for_the_thread()

    assert is_cut_off()


@pytest.mark.usefixtures("database_url")
def test_a_reader_that_finds_the_marker_lets_a_refused_cut_off_be_written(settings: Any) -> None:
    restore_cut_offs()
    with CacheDown(settings), pytest.raises(IntrospectionUnavailable):
        cut_off(ISSUER, subject="alice")
    cut_offs.restore_with(restore_in_background)

    assert not is_cut_off()  # the cache is back, with its marker
    wait_for_the_thread()

    assert is_cut_off()


def test_one_thread_of_a_process_restores_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    hang, looks = threading.Event(), []

    def look() -> None:
        looks.append("look")
        hang.wait(10)

    monkeypatch.setattr(restoring, "restore_if_needed", look)

    for _ in range(3):
        restore_in_background()
    assert len(running()) == 1
    hang.set()
    wait_for_the_thread()
    restore_in_background()
    wait_for_the_thread()

    assert looks == ["look"] * 2


def test_a_thread_that_cannot_be_started_keeps_no_later_one_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patches:
        patches.setattr(threading.Thread, "start", refuse)
        restore_in_background()
    looks: list[str] = []
    monkeypatch.setattr(restoring, "restore_if_needed", lambda: looks.append("look"))

    restore_in_background()
    wait_for_the_thread()

    assert looks == ["look"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_restores_although_its_parent_does(monkeypatch: pytest.MonkeyPatch) -> None:
    hang = threading.Event()
    monkeypatch.setattr(restoring, "restore_if_needed", lambda: hang.wait(10))
    restore_in_background()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside a thread, which is the point
        child = os.fork()
    if child == 0:
        restore_in_background()
        os._exit(len(running()))
    _, status = os.waitpid(child, 0)
    hang.set()
    wait_for_the_thread()

    assert os.waitstatus_to_exitcode(status) == 1


def test_one_process_restores_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off(ISSUER, subject="alice")
    test_caches.empty()
    write, inner = cut_offs.write, []

    def write_beside_another(*arguments: Any) -> None:
        write(*arguments)
        inner.append("write")
        restore_if_needed()  # as another process would

    monkeypatch.setattr(cut_offs, "write", write_beside_another)
    restore_if_needed()

    assert inner == ["write"]
    assert is_cut_off()
    test_caches.empty()
    restore_if_needed()
    assert is_cut_off(), "the lock is given back"


@pytest.mark.usefixtures("database_url")
@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="one writer at a time")
def test_of_two_moments_at_once_the_later_one_is_written_last() -> None:
    restore_cut_offs()
    held, done = threading.Event(), threading.Event()

    def later() -> None:
        try:
            held.wait(10)
            write_cut_off(ISSUER, Kind.SUBJECT, "alice", NOW)
        finally:
            done.set()
            connection.close()

    thread = threading.Thread(target=later)
    thread.start()
    with transaction.atomic():
        write_cut_off(ISSUER, Kind.SUBJECT, "alice", NOW - 3600)
        held.set()
        assert not done.wait(0.3), "the row is locked until the first one commits"
    thread.join(10)

    assert CutOff.objects.get().moment == NOW
    assert is_cut_off(iat=NOW)


@pytest.mark.usefixtures("transactional_db")
def test_a_cache_that_loses_a_cut_off_before_its_row_is_committed_gets_it_again() -> None:
    restore_cut_offs()

    with transaction.atomic():
        cut_off(ISSUER, subject="alice")
        test_caches.empty()
        put_markers()  # another process, which does not see the row yet

    assert is_cut_off()
    assert CutOff.objects.get().is_written


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="one writer at a time")
def test_a_process_that_restores_before_the_commit_hides_no_cut_off() -> None:
    restore_cut_offs()

    def restore_elsewhere() -> None:
        try:
            restore_cut_offs()
        finally:
            connection.close()

    with transaction.atomic():
        cut_off(ISSUER, subject="alice")
        test_caches.empty()
        thread = threading.Thread(target=restore_elsewhere)
        thread.start()
        thread.join(10)

    assert is_cut_off()


@pytest.mark.usefixtures("transactional_db")
def test_a_cache_that_is_down_at_the_commit_gets_the_cut_off_later(monkeypatch: pytest.MonkeyPatch) -> None:
    restore_cut_offs()
    with monkeypatch.context() as patches, transaction.atomic():
        cut_off(ISSUER, subject="alice")
        test_caches.empty()
        write_nothing(patches)
        put_markers()
    restore_if_needed()

    assert is_cut_off()


@pytest.mark.usefixtures("transactional_db")
def test_a_transaction_that_is_rolled_back_takes_the_row_of_a_failed_cut_off_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_nothing(monkeypatch)

    with pytest.raises(IntrospectionUnavailable), transaction.atomic():
        cut_off(ISSUER, subject="alice")
    assert not CutOff.objects.exists()

    with transaction.atomic(), suppress(IntrospectionUnavailable):
        cut_off(ISSUER, subject="alice")
    assert CutOff.objects.exists()


def test_an_expired_row_that_is_purged_just_now_is_stored_anew() -> None:
    restore_cut_offs()
    cut_off(ISSUER, subject="alice", before=datetime.fromtimestamp(NOW - 3600, UTC))
    CutOff.objects.update(expires_at=1)

    def purge_before_the_update(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE") and not purged:
            purged.append(True)
            assert purge_expired() == 1
        return execute(sql, *rest)

    purged: list[bool] = []
    with connection.execute_wrapper(purge_before_the_update):
        cut_off(ISSUER, subject="alice")

    assert CutOff.objects.get().moment >= NOW
    assert is_cut_off()


class CacheDown:
    """Let the cache be down, and up again with its data."""

    def __init__(self, settings: Any) -> None:
        self._settings, self._before = settings, settings.CACHES

    def __enter__(self) -> None:
        self._settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}

    def __exit__(self, *_: object) -> None:
        self._settings.CACHES = self._before


def test_the_cache_keeps_a_cut_off_for_as_long_as_a_token_could_be_accepted_with_leeway() -> None:
    row = CutOff(expires_at=NOW + 100)

    assert cutting.seconds_left(row, NOW) == 101 + introspection_settings.LEEWAY
    assert cutting.seconds_left(row, NOW + 200) == 1
