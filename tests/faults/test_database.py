"""A database server that is down, cut off, silent or slow: a bounded wait, 503, and nothing is decided or lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import close_old_connections, connection, connections

from django_introspection.models import GrantType, Token
from tests import endpoints, factories, services
from tests.authorization_server.helpers import assert_refused
from tests.test_documentation import blocks
from tests.web_servers.running import free_port

from .slow_link import SlowLink

pytestmark = [
    pytest.mark.skipif(services.DATABASE_URL.startswith("sqlite:"), reason="SQLite is no server"),
    pytest.mark.django_db(transaction=True),
]

LONGEST = 10
"""Seconds that a request may take on a busy machine; without limits it would be for ever."""


def limits() -> dict[str, Any]:
    """Return the options of the documentation for this database."""
    name = {"postgresql": "PostgreSQL", "mysql": "MariaDB"}[connection.vendor]
    (block,) = (block for block in blocks("docs/reliability.rst") if block.file == f"settings.py, {name}")
    found: dict[str, Any] = {}
    exec(block.code, found)  # noqa: S102 - our own documentation
    options: dict[str, Any] = found["OPTIONS"]
    return options


@pytest.fixture
def link() -> Iterator[SlowLink]:
    with SlowLink(int(connection.settings_dict["PORT"] or 5432)) as between:
        yield between


@contextmanager
def reached_at(port: int) -> Iterator[None]:
    """Connect anew to another port, with limits to each wait."""
    own = connections["default"].settings_dict
    before = {name: own[name] for name in ("HOST", "PORT", "OPTIONS")}
    connections["default"].close()
    own |= {"HOST": "127.0.0.1", "PORT": str(port), "OPTIONS": {**own["OPTIONS"], **limits()}}
    try:
        yield
    finally:
        connections["default"].close()
        own |= before


class Site:
    """Requests to everything that asks the database."""

    def __init__(self) -> None:
        grants = [GrantType.CLIENT_CREDENTIALS, GrantType.REFRESH_TOKEN]
        self.api, self.holder = factories.ResourceServerFactory(), factories.RegistrationFactory(grant_types=grants)
        self.issued = factories.TokenFactory(client=self.holder.client, user=factories.UserFactory(), refresh=True)
        access_token, refresh_token = self.issued.access_token, self.issued.refresh_token
        refresh = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        self.requests: dict[str, Callable[[], Any]] = {
            "introspect": lambda: endpoints.introspect(access_token, auth=self.api),
            "issue": lambda: endpoints.post("/oauth/token", {"grant_type": "client_credentials"}, auth=self.holder),
            "refresh": lambda: endpoints.post("/oauth/token", refresh, auth=self.holder),
            "revoke": lambda: endpoints.post("/oauth/revoke", {"token": access_token}, auth=self.holder),
            "view": lambda: endpoints.Browser().get("/whoami", headers={"Authorization": f"Bearer {access_token}"}),
        }

    def all_refused(self, *names: str) -> None:
        """Send requests, each within its time, and assert that they are refused for now."""
        for name in names or self.requests:
            start = time.monotonic()
            answer = self.requests[name]()
            assert time.monotonic() - start < LONGEST, name
            assert answer.status_code == 503, (name, answer.content)
            assert int(answer["Retry-After"]) > 0
            if name != "view":
                assert_refused(answer, 503, "temporarily_unavailable")
            close_old_connections()  # as the end of each request does in a web server

    def is_well(self) -> None:
        """Assert that each request succeeds, and nothing was done before."""
        for name in ("introspect", "view", "issue", "refresh", "revoke"):
            answer = self.requests[name]()
            assert answer.status_code == 200, (name, answer.content)
            close_old_connections()
        assert not self.requests["introspect"]().json()["active"]


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_server_that_is_down_is_503_until_it_is_back(site: Site) -> None:
    operator = endpoints.Browser(raise_request_exception=False)
    operator.force_login(factories.User.objects.create_superuser("ada"))
    with reached_at(free_port()):
        site.all_refused()
        assert operator.get("/admin/introspection/token/").status_code == 500, "Django's own page"
    assert operator.get("/admin/introspection/token/").status_code == 200
    site.is_well()


def test_a_connection_that_is_cut_costs_one_request_and_the_next_one_connects(site: Site, link: SlowLink) -> None:
    with reached_at(link.port):
        for name in site.requests:
            assert Token.objects.exists()
            link.cut()
            site.all_refused(name)
        site.is_well()


def test_an_answer_that_breaks_off_decides_nothing(site: Site, link: SlowLink) -> None:
    with reached_at(link.port):
        for name in site.requests:
            connections["default"].close()
            link.cut_after = 20
            site.all_refused(name)
            link.cut_after = -1
        site.is_well()


def test_a_server_that_takes_connections_and_is_silent_is_waited_for_within_its_limit(
    site: Site, link: SlowLink
) -> None:
    with reached_at(link.port):
        link.is_black_hole = True
        site.all_refused("introspect", "view")
        link.is_black_hole = False
        close_old_connections()
        site.is_well()


@pytest.mark.skipif("mysql" not in services.DATABASE_URL, reason="libpq has no limit to the wait for an answer")
def test_a_connection_that_falls_silent_is_waited_for_within_its_limit(site: Site, link: SlowLink) -> None:
    with reached_at(link.port):
        assert Token.objects.exists()
        link.is_black_hole = True
        site.all_refused("introspect")
        link.is_black_hole = False
        site.is_well()


def test_a_late_answer_is_an_answer(site: Site, link: SlowLink) -> None:
    with reached_at(link.port):
        link.delay = 0.05
        site.is_well()


def test_a_locked_row_is_waited_for_within_its_limit_and_read_meanwhile(site: Site) -> None:
    port = int(connection.settings_dict["PORT"] or 5432)
    other: Any = connections.create_connection("default")
    try:
        with reached_at(port):
            other.set_autocommit(False)
            with other.cursor() as cursor:
                cursor.execute("SELECT 1 FROM introspection_token FOR UPDATE")
            assert site.requests["introspect"]().json()["active"]
            assert site.requests["view"]().status_code == 200
            site.all_refused("refresh", "revoke")
            other.rollback()
            site.is_well()
    finally:
        other.close()
