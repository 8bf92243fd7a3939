"""Resource servers that read the feed from the database that they share with their authorization server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.backends.feed import Feed
from django_introspection.backends.revoked_tokens import identity_of
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from django_introspection.models import Client, Token
from django_introspection.notices import notify
from django_introspection.outbound.steps import run
from django_introspection.protocol.jwt import token_identity
from django_introspection.revocation_feed import direct, news, positions
from django_introspection.revocation_feed.models import Ending
from django_introspection.revocation_feed.models import Feed as FeedRow
from tests import factories
from tests.authorization_server.racing import in_threads
from tests.backends.feed_server import FeedServer, until
from tests.backends.issuers import access_token, jwt_settings, public, publish
from tests.misbehaving.server import MisbehavingServer
from tests.projects.run import run_module
from tests.settings import AUDIENCE, ISSUER, TOKEN_INTROSPECTION

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_url", "_recording")]
CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])


@pytest.fixture
def caller(database_url: str) -> Client:
    return factories.ResourceServerFactory().client


@pytest.fixture
def server(caller: Client, settings: Any, _recording: None) -> Iterator[FeedServer]:
    """The server is asked about tokens, and has no feed."""
    with FeedServer() as server:
        server.fault = lambda: (404, None, {})
        settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "BACKENDS": backends(server, caller)}
        yield server
        followed = token_backends["default"].feed
        token_backends.close()
        if followed is not None and followed._thread is not None:
            followed._thread.join()


def backends(server: FeedServer, caller: Client) -> dict[str, Any]:
    entry = server.settings()["BACKENDS"]["default"]
    entry["OPTIONS"]["client_id"] = caller.client_id
    entry["REVOCATIONS"] = {"FEED": "database", "MAX_DELAY": 2}
    return {"default": entry}


def feed() -> Feed:
    found = token_backends["default"].feed
    assert found is not None
    return found


def follow() -> Feed:
    introspect("the first token")
    until(lambda: feed().is_fresh)
    return feed()


def knows(token: Token) -> bool:
    return identity_of(bytes(token.digest)) in feed().tokens


@CALLS
def test_a_kept_answer_is_used_until_the_database_names_its_token(call: Any, server: FeedServer) -> None:
    issued, other = factories.TokenFactory(), factories.TokenFactory()
    follow()
    assert [bool(call(issued.access_token)) for _ in range(3)] == [True] * 3
    assert call(other.access_token)

    server.end(issued.access_token, is_heard=False)
    revoke_token(issued.token, by=None)
    until(lambda: knows(issued.token))

    assert call(issued.access_token) is None
    assert call(other.access_token)
    assert server.questions.count(issued.access_token) == 2
    assert server.questions.count(other.access_token) == 1
    assert server.polls == []


@pytest.mark.processes
def test_a_revocation_in_another_process_arrives(server: FeedServer, database_url: str) -> None:
    token = factories.TokenFactory().token
    follow()

    revoke = ("tests.revocation_feed.revoking", "tests.settings", str(token.pk), "redis://127.0.0.1:1/0")
    run_module(*revoke, DATABASE_URL=database_url)  # that Redis does not answer

    until(lambda: knows(token))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL alone has NOTIFY")
@pytest.mark.processes
def test_postgresql_wakes_a_thread_that_waits(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    token, position, results = factories.TokenFactory().token, positions.give("default").position, list[bool]()
    monkeypatch.setattr(news, "TICK", 3600)

    def wait() -> None:
        results.append(news.news.wait_in_thread(position, 60, "default"))

    def revoke() -> None:
        until(lambda: news.news._waiting)
        revoke = ("tests.revocation_feed.revoking", "tests.settings", str(token.pk), "redis://127.0.0.1:1/0")
        run_module(*revoke, DATABASE_URL=database_url)

    try:
        in_threads([wait, revoke])
    finally:
        monkeypatch.undo()
        notify("default")  # the thread ends

    assert results == [True]


def test_what_ended_before_this_process_began_is_known(server: FeedServer) -> None:
    token = factories.TokenFactory().token
    revoke_token(token, by=None)

    follow()

    assert knows(token)


def test_the_policy_of_the_client_decides(server: FeedServer, caller: Client) -> None:
    Client.objects.filter(pk=caller.pk).update(introspection_policy="audience", resources=[AUDIENCE])
    hidden = factories.TokenFactory(audience=["https://elsewhere.example"]).token
    heard = factories.TokenFactory(audience=[AUDIENCE]).token
    follow()

    revoke_token(hidden, by=None)
    revoke_token(heard, by=None)
    until(lambda: knows(heard))

    assert not knows(hidden)
    page = feed().last_page
    assert page is not None
    assert (page.issuer, page.policy, page.resources) == (ISSUER, "audience", (AUDIENCE,))
    assert feed().gap(issuer=ISSUER, audience=[AUDIENCE], is_audience_named=True) is None


@pytest.mark.parametrize("change", [{"is_active": False}, {"introspection_policy": "none"}, {"client_id": "another"}])
def test_a_client_that_may_not_introspect_has_no_feed(change: Any, server: FeedServer, caller: Client) -> None:
    followed = follow()
    assert introspect("a")

    Client.objects.filter(pk=caller.pk).update(**change)
    until(lambda: not followed.is_fresh)

    assert introspect("a")
    assert server.questions.count("a") == 2
    assert "unknown or may not introspect" in str(followed.last_failure)


def test_an_error_of_the_database_makes_the_feed_late_until_it_is_over(server: FeedServer, caplog: Any) -> None:
    followed = follow()
    assert introspect("a")
    name = Ending._meta.db_table
    with connection.schema_editor() as editor:
        editor.alter_db_table(Ending, name, "moved_away")
    try:
        until(lambda: not followed.is_fresh)
        assert introspect("a")
        assert server.questions.count("a") == 2
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(Ending, "moved_away", name)

    until(lambda: followed.is_fresh)
    assert "moved_away" not in caplog.text
    assert name not in caplog.text


def test_tables_that_were_restored_let_the_reader_begin_anew(server: FeedServer) -> None:
    token = factories.TokenFactory().token
    followed, restarts = follow(), list[bool]()
    followed.on_restart.append(lambda: restarts.append(True))
    revoke_token(token, by=None)
    until(lambda: knows(token))

    Ending.objects.all().delete()
    FeedRow.objects.all().delete()

    until(lambda: restarts)
    until(lambda: followed.is_fresh)
    assert knows(token)


def test_a_machine_whose_clock_is_behind_that_of_the_database_has_no_fresh_feed(
    server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = direct._time_of
    monkeypatch.setattr(direct, "_time_of", lambda using: real(using) + 60)

    introspect("a")
    until(lambda: feed().last_failure)

    assert "the clock of this machine is too far behind" in str(feed().last_failure)
    assert not feed().is_fresh


def test_a_database_has_the_clock_of_its_machine(server: FeedServer) -> None:
    """Both are this machine here; a time zone that is read wrongly would show."""
    from time import time

    before = int(time())
    assert before - 1 <= direct._time_of("default") <= time() + 1


def test_a_reading_without_news_takes_a_few_statements(server: FeedServer) -> None:
    followed = follow()
    followed.close()
    assert followed._thread is not None
    followed._thread.join()

    connection.ensure_connection()
    with CaptureQueriesContext(connection) as queries:
        followed.read_now()

    # the client, rows without a position, the feed, the rows after the cursor, and the clock
    assert len(queries) == (4 if connection.vendor == "sqlite" else 5)


def test_a_reader_needs_no_more_rights_than_the_page_names(caller: Client) -> None:
    revoke_token(factories.TokenFactory(user=factories.UserFactory()).token, by=None)
    source, page, used = direct.DatabaseSource(caller.client_id), None, set[tuple[str, str]]()

    connection.ensure_connection()
    with CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            page = run(source.page(None if page is None else page.cursor, 0))
    for query in queries.captured_queries:
        verb = query["sql"].split()[0]
        used |= {(verb, table) for table in re.findall(r"""(?:FROM|JOIN|INTO|UPDATE) ["`](\w+)""", query["sql"])}

    own = {Ending._meta.db_table, FeedRow._meta.db_table}
    read = {"introspection_client", "introspection_token", "auth_user"}
    assert {table for _, table in used} == own | read
    assert {verb for verb, table in used if table in read} == {"SELECT"}
    assert {verb for verb, table in used if table in own} <= {"SELECT", "INSERT", "UPDATE"}


def test_jwts_end_by_it(server: FeedServer, caller: Client, settings: Any) -> None:
    with MisbehavingServer() as keys:
        publish(keys, public())
        asked, own = backends(server, caller)["default"], jwt_settings(keys.origin)
        settings.TOKEN_INTROSPECTION = {
            "ISSUER": keys.origin,
            "BACKENDS": {"jwts": {**own, "REVOCATIONS": {"FEED": "default"}}, "default": asked},
        }
        token, other = access_token(keys.origin), access_token(keys.origin, sub="another")
        assert introspect(token, using="jwts")

        digest, ends = token_identity(token), datetime.now(UTC) + timedelta(minutes=10)
        Ending.objects.create(digest=digest, expires_at=ends)  # as a package that issues JWTs records it
        until(lambda: identity_of(digest) in feed().tokens)

        assert introspect(token, using="jwts") is None
        assert introspect(other, using="jwts")
        assert server.polls == []


def test_the_doctor_reads_it(server: FeedServer) -> None:
    revoke_token(factories.TokenFactory().token, by=None)

    text = "\n".join(f"{finding.severity} {finding.what}" for finding in token_backends["default"].diagnose())

    assert "ok the feed of revocations names 1 tokens, read in " in text
    assert "ok a revocation arrives at once: requests may wait there" in text


def test_a_client_without_name_has_no_policy(server: FeedServer, caller: Client) -> None:
    entry = backends(server, caller)["default"]
    entry["OPTIONS"] = {"introspection_url": server.origin, "auth_method": "bearer", "bearer_token": "a-token"}

    with (
        override_settings(TOKEN_INTROSPECTION={"BACKENDS": {"default": entry}}),
        pytest.raises(InvalidBackend, match="without the option 'client_id'"),
    ):
        token_backends["default"]


def test_without_the_tables_of_the_feed_the_setting_is_wrong(server: FeedServer, settings: Any) -> None:
    apps = [name for name in settings.INSTALLED_APPS if "Feed" not in name]
    with override_settings(INSTALLED_APPS=apps), pytest.raises(InvalidBackend, match="in INSTALLED_APPS"):
        token_backends["default"]


def test_a_cursor_of_something_else_is_no_page(server: FeedServer) -> None:
    with pytest.raises(IntrospectionUnavailable, match="the database did not return the feed: InvalidRequest"):
        run(feed().source.page("no cursor!", 0))
