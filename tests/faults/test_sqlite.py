"""SQLite on a disk that is full, and locked by another process: refused for now, nothing lost, whole afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection

from django_introspection.models import ClientSecret, GrantType, Token
from tests import endpoints, factories, services
from tests.authorization_server.helpers import assert_refused

pytestmark = [
    pytest.mark.skipif(not services.DATABASE_URL.startswith("sqlite:"), reason="it is about SQLite"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def holder(database_url: str) -> Any:
    return factories.RegistrationFactory(grant_types=[GrantType.CLIENT_CREDENTIALS, GrantType.REFRESH_TOKEN])


@contextmanager
def full_disk() -> Iterator[None]:
    """Let the file grow no more, and fill what is left in it."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE filler (data BLOB)")
        cursor.execute("PRAGMA page_count")
        (pages,) = cursor.fetchone()
        cursor.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OperationalError, match="full"):
            _fill(cursor)
        try:
            yield
        finally:
            cursor.execute("PRAGMA max_page_count = 1000000")


def _fill(cursor: Any) -> None:
    while True:
        cursor.execute("INSERT INTO filler VALUES (zeroblob(400))")


def get_token(holder: Any) -> Any:
    return endpoints.post("/oauth/token", {"grant_type": "client_credentials"}, auth=holder)


def refresh(holder: Any, token: str) -> Any:
    return endpoints.post("/oauth/token", {"grant_type": "refresh_token", "refresh_token": token}, auth=holder)


def test_a_full_disk_refuses_what_needs_room_and_answers_what_needs_none(holder: Any) -> None:
    api = factories.ResourceServerFactory()
    issued = factories.TokenFactory(client=holder.client, user=factories.UserFactory(), refresh=True)
    to_revoke = factories.TokenFactory(client=holder.client)
    ClientSecret.objects.update(last_used_at=1)

    with full_disk():
        for _ in range(50):  # the last rows may find room in the pages of their table
            answer = get_token(holder)
            if answer.status_code != 200:
                break
            assert endpoints.introspect(answer.json()["access_token"], auth=api).json()["active"]
        rows = Token.objects.count()
        for refused in (answer, get_token(holder), refresh(holder, issued.refresh_token)):
            assert_refused(refused, 503, "temporarily_unavailable")
            assert int(refused["Retry-After"]) > 0
        assert Token.objects.count() == rows, "nothing is written in part"
        assert endpoints.introspect(issued.access_token, auth=api).json()["active"]
        assert (
            endpoints.Browser().get("/whoami", headers={"Authorization": f"Bearer {issued.access_token}"}).status_code
        )
        revoked = endpoints.post("/oauth/revoke", {"token": to_revoke.access_token}, auth=holder)
        is_active = endpoints.introspect(to_revoke.access_token, auth=api).json()["active"]
        assert (revoked.status_code, is_active) in ((200, False), (503, True))

    assert endpoints.post("/oauth/revoke", {"token": to_revoke.access_token}, auth=holder).status_code == 200
    assert not endpoints.introspect(to_revoke.access_token, auth=api).json()["active"]
    assert refresh(holder, issued.refresh_token).status_code == 200, "the refused use did not count"
    assert get_token(holder).status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA integrity_check")
        assert cursor.fetchone() == ("ok",)


def test_a_writer_that_holds_its_lock_is_waited_for_within_the_timeout_and_read_meanwhile(
    holder: Any, database_url: str
) -> None:
    api = factories.ResourceServerFactory()
    issued = factories.TokenFactory(client=holder.client, user=factories.UserFactory(), refresh=True)
    ClientSecret.objects.update(last_used_at=None)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 100")

    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert_refused(get_token(holder), 503, "temporarily_unavailable")
        assert_refused(refresh(holder, issued.refresh_token), 503, "temporarily_unavailable")
        assert_refused(
            endpoints.post("/oauth/revoke", {"token": issued.access_token}, auth=holder), 503, "temporarily_unavailable"
        )
        assert endpoints.introspect(issued.access_token, auth=api).json()["active"]
        other.execute("ROLLBACK")

    assert refresh(holder, issued.refresh_token).status_code == 200
    assert endpoints.post("/oauth/revoke", {"token": issued.access_token}, auth=holder).status_code == 200
    assert not endpoints.introspect(issued.access_token, auth=api).json()["active"]
