"""The feed as a resource server reads it from the database that it shares with its authorization server."""

from __future__ import annotations

from functools import partial

from django.db import Error as DatabaseError
from django.db import connections

from ..backends.feed_source import FeedPage
from ..conf import introspection_settings
from ..models import Client, IntrospectionPolicy
from ..models.fields import now
from ..outbound.steps import Blocking, Steps
from ..protocol.errors import IntrospectionUnavailable, InvalidRequest
from . import cursors
from .news import news
from .reading import Page, page_for
from .recording import database

CLOCKS = {"postgresql": "SELECT extract(epoch FROM clock_timestamp())", "mysql": "SELECT unix_timestamp()"}
"""The time of a database server by its vendor; another one is taken to have the clock of this machine."""


class DatabaseSource:
    """The pages of the feed that a client may read, by the policy of its row."""

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id

    def page(self, cursor: str | None, wait: int) -> Steps[FeedPage]:
        """Read the page after a cursor, or the first one; raise IntrospectionUnavailable."""
        return (yield from Blocking(partial(self._read, cursor, wait)))

    def _read(self, cursor: str | None, wait: int) -> FeedPage:
        using = database()
        try:
            caller = self._caller(using)
            page = page_for(caller, cursor)
            if wait and not page.has_news:
                _close(using)
                news.wait_in_thread(cursors.position_of(page.cursor, caller), wait, using)
                page = page_for(caller, page.cursor)
            return _as_read(page, caller, _time_of(using))
        except (DatabaseError, InvalidRequest) as error:
            raise IntrospectionUnavailable(f"the database did not return the feed: {type(error).__name__}") from None
        finally:
            _close(using)

    def _caller(self, using: str) -> Client:
        """Return the client whose policy decides, which must be one that the endpoint would answer."""
        caller = Client.objects.using(using).filter(client_id=self._client_id, is_active=True).first()
        if caller is None or caller.introspection_policy == IntrospectionPolicy.NONE:
            raise IntrospectionUnavailable("the client of this resource server is unknown or may not introspect tokens")
        return caller


def _as_read(page: Page, caller: Client, at: int) -> FeedPage:
    return FeedPage(
        page.cursor,
        page.is_new_start,
        page.has_more,
        at,
        0,
        [
            (int.from_bytes(identity), None if is_return else int(expires_at.timestamp()))
            for identity, expires_at, is_return in page.changes
        ],
        introspection_settings.ISSUER,
        str(caller.introspection_policy),
        tuple(caller.resources),
        page.age(now()),
    )


def _time_of(using: str) -> int:
    """Return the seconds since 1970 by the clock of the database, which is the one that two machines share."""
    statement = CLOCKS.get(connections[using].vendor)
    if statement is None:
        return int(now().timestamp())
    with connections[using].cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])


def _close(using: str) -> None:
    """Give the connection of this thread back, which otherwise would be held while nothing happens."""
    if not connections[using].in_atomic_block:
        connections[using].close()
