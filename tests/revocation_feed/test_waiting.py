"""Requests that wait for news, and how many may."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError, connection
from django.test import AsyncClient, RequestFactory

from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models.fields import now
from django_introspection.revocation_feed import news as news_module
from django_introspection.revocation_feed import views, waiting
from django_introspection.revocation_feed.waiting import Room, most_waiting
from tests import endpoints, factories
from tests.authorization_server.racing import in_threads

from .reader import PATH, Reader, identity

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_url", "_recording")]


@pytest.fixture
def reader(settings: Any) -> Reader:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATION_FEED": {"MAX_WAITING": 1}}
    reader = Reader(factories.ResourceServerFactory())
    reader.read()
    return reader


def is_waiting() -> bool:
    return bool(news_module.news._waiting)


def revoke_when_it_waits(token: Any) -> None:
    until = time.monotonic() + 20
    while not is_waiting():
        assert time.monotonic() < until, "no request waits"
    revoke_token(token, by=None)


def test_a_request_waits_for_news(reader: Reader) -> None:
    token, pages = factories.TokenFactory().token, []

    in_threads([lambda: pages.append(reader.page(wait=20)), lambda: revoke_when_it_waits(token)])

    assert [len(page["changes"]) for page in pages] == [1]
    assert reader.ended == {identity(token)}
    assert not is_waiting()


def test_news_that_a_caller_may_not_hear_of_does_not_end_its_wait(reader: Reader) -> None:
    hidden = factories.TokenFactory(audience=["https://elsewhere.example"]).token
    token, pages = factories.TokenFactory().token, []

    def revoke_both() -> None:
        revoke_when_it_waits(hidden)
        revoke_token(token, by=None)

    in_threads([lambda: pages.append(reader.page(wait=20)), revoke_both])

    assert reader.ended == {identity(token)}


def test_a_wait_without_news_ends_with_an_empty_page(reader: Reader) -> None:
    page = reader.page(wait=1)

    assert (page["changes"], page["more"], page["pause"]) == ([], False, 0)


def test_a_request_without_room_is_answered_at_once_and_comes_later(reader: Reader, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATION_FEED": {"MAX_WAITING": 0}}

    page = reader.page(wait=20)

    assert (page["changes"], page["pause"]) == ([], waiting.PAUSE)
    assert news_module.news._thread is None


def test_a_first_page_and_a_page_with_changes_never_wait(reader: Reader) -> None:
    revoke_token(factories.TokenFactory().token, by=None)
    assert reader.page(wait=20)["changes"]
    reader.cursor = None
    assert reader.page(wait=20)["more"]
    assert news_module.news._thread is None


def test_an_asgi_server_waits_on_its_event_loop(reader: Reader) -> None:
    token = factories.TokenFactory().token
    caller = factories.ResourceServerFactory()
    # a use to record is work behind the answer, for which the test client takes a thread whose connection stays open
    caller.client.secrets.update(last_used_at=now())
    header = endpoints.basic(caller.client.client_id, caller.secret)

    async def ask(**parameters: str) -> Any:
        return (await AsyncClient().get(PATH, parameters, headers={"Authorization": header})).json()

    async def wait_for_news() -> Any:
        page = await ask()
        while page["more"]:
            page = await ask(after=page["cursor"])
        return await ask(after=page["cursor"], wait="20")

    pages: list[Any] = []
    in_threads([lambda: pages.append(async_to_sync(wait_for_news)()), lambda: revoke_when_it_waits(token)])

    assert len(pages[0]["changes"]) == 1


def _ask_under_asgi(reader: Reader, monkeypatch: pytest.MonkeyPatch, wait: Any) -> Any:
    """Ask for news, and do something else instead of waiting."""
    monkeypatch.setattr(views.news, "wait", wait)
    caller = factories.ResourceServerFactory()
    caller.client.secrets.update(last_used_at=now())
    header = endpoints.basic(caller.client.client_id, caller.secret)

    async def ask(**parameters: str) -> Any:
        return await AsyncClient().get(PATH, parameters, headers={"Authorization": header})

    async def ask_twice() -> Any:
        first = (await ask()).json()
        return await ask(after=first["cursor"], wait="20")

    return async_to_sync(ask_twice)()


def test_under_asgi_no_request_waits_with_a_connection(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    async def wait(*_: Any) -> bool:
        done.append("waits")
        return False

    def close() -> None:
        done.append("closes")
        close_all()

    close_all = views.connections.close_all
    monkeypatch.setattr(views.connections, "close_all", close)

    assert _ask_under_asgi(reader, monkeypatch, wait).json()["changes"] == []
    assert done == ["closes", "waits"]


def test_a_database_that_fails_while_a_request_waits_is_503(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise OperationalError("gone")

    async def wait(*_: Any) -> bool:
        monkeypatch.setattr(views, "page_for", fail)
        return True

    response = _ask_under_asgi(reader, monkeypatch, wait)

    assert (response.status_code, response["Cache-Control"]) == (503, "no-store")
    assert int(response["Retry-After"]) > 0


def test_a_project_with_a_transaction_for_each_request_has_the_feed(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django refuses an async view in such a transaction."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    assert reader.page()["changes"] == []


@pytest.mark.parametrize(
    ("environ", "most"),
    [({"wsgi.multithread": False}, 0), ({"wsgi.multithread": True}, 1), ({}, 0)],
    ids=["processes", "threads", "unknown"],
)
def test_a_server_lets_as_many_wait_as_it_can_bear(environ: dict[str, Any], most: int, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {}
    request = RequestFactory().post(PATH, **environ)
    if not environ:
        del request.META["wsgi.multithread"]

    assert most_waiting(request) == most


def test_a_place_is_given_back_whatever_happens(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"REVOCATION_FEED": {"MAX_WAITING": 1}}
    room, request = Room(), RequestFactory().post(PATH)
    with suppress(LookupError), room.place(request) as first, room.place(request) as second:
        assert (first, second) == (True, False)
        raise LookupError
    with room.place(request) as again:
        assert again


def test_the_thread_ends_when_no_request_waits(reader: Reader) -> None:
    reader.page(wait=1)
    thread = news_module.news._last
    assert thread is not None
    thread.join(20)

    assert not thread.is_alive()


def test_no_request_waits_longer_than_the_longest_wait() -> None:
    assert [views._seconds(value) for value in ("1", "20", "21", "9999")] == [1, 20, 20, waiting.LONGEST_WAIT]
