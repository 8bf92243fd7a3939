from __future__ import annotations

import logging
import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management.commands import flush
from django.core.signals import request_finished
from django.db import connection, connections

from django_introspection import cut_offs, shared_caches, token_backends
from django_introspection.signals import circuit_changed
from tests import factories, services
from tests.misbehaving.server import MisbehavingServer

MADE_BY_MIGRATIONS = {"auth_permission", "django_content_type", "django_site"}

pytest_plugins = ["tests.conformance.plugin", "tests.servers.plugin"]

# In development mode asyncio warns of each step that takes 0.1 s, which a busy machine does to any test.
logging.getLogger("asyncio").setLevel(logging.ERROR)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use three workers for two cores: a good part of the tests' time is spent waiting for servers and threads."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the database, for `-m database`: most name a fixture that asks for it."""
    for item in items:
        if item.get_closest_marker("django_db") or {"db", "transactional_db"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("database")


@pytest.fixture(scope="session", autouse=True)
def _flushes_keep_what_migrations_made() -> Iterator[None]:
    """Leave permissions, content types and sites where they are: to make them anew takes as long as most tests."""

    def sql_flush(style: Any, connection: Any, **options: Any) -> list[str]:
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        return connection.ops.sql_flush(style, sorted({*tables} - MADE_BY_MIGRATIONS), **options)  # type: ignore[no-any-return]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "sql_flush", sql_flush)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_, **__: None)
        yield


@pytest.fixture(autouse=True)
def _fresh_backends() -> Any:
    """Let no test see another's backends."""
    token_backends.close()
    yield
    token_backends.close()


@pytest.fixture(autouse=True)
def _own_cache_keys(settings: Any) -> Iterator[None]:
    """Let no test count on with another's cache keys, in whatever process or thread, and leave no connection open."""
    prefix = uuid.uuid4().hex
    settings.CACHES = {alias: {**cache, "KEY_PREFIX": prefix} for alias, cache in settings.CACHES.items()}
    yield
    for cache in [*caches.all(initialized_only=True), *shared_caches._shared.values()]:
        pools = getattr(getattr(cache, "_cache", None), "_pools", {})  # those of Redis
        for pool in pools.values():
            pool.disconnect()


@pytest.fixture(autouse=True)
def _no_looks_for_cut_offs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no thread look into the tables of a test, unless the test registers one.

    A test that changes INSTALLED_APPS makes the apps ready once more, perhaps with other settings.
    """
    request_finished.disconnect(dispatch_uid="django_introspection.security_events.look_after_request")
    monkeypatch.setattr(cut_offs, "_restorer", cut_offs._Restorer())


@pytest.fixture
def machine(db: None) -> Any:
    """A machine client and its secret."""
    return factories.RegistrationFactory()


@pytest.fixture
def resource_server(db: None) -> Any:
    """The orders API's own client and its secret."""
    return factories.ResourceServerFactory()


@pytest.fixture
def user(db: None) -> Any:
    return factories.UserFactory()


@pytest.fixture
def authorization_server(settings: Any) -> Iterator[MisbehavingServer]:
    """A remote authorization server, and this project its resource server."""
    with MisbehavingServer() as server:
        settings.TOKEN_INTROSPECTION = server.settings()
        yield server


@pytest.fixture
def circuit_changes() -> Iterator[list[tuple[str, bool]]]:
    """The alias of each circuit that opened or closed, and whether it is open."""
    seen: list[tuple[str, bool]] = []

    def receive(backend: str, is_open: bool, **_: Any) -> None:
        seen.append((backend, is_open))

    circuit_changed.connect(receive)
    yield seen
    circuit_changed.disconnect(receive)


@pytest.fixture
def database_url(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """The database of this test as other threads and processes reach it: SQLite moves from memory into a file."""
    if connection.vendor != "sqlite":
        yield services.url_of(connection.settings_dict["NAME"])
        return
    memory, shared = connections["default"], connections.settings["default"]
    name, path = shared["NAME"], tmp_path / "shared.sqlite3"
    with closing(sqlite3.connect(path)) as file:
        memory.ensure_connection()
        memory.connection.backup(file)
    shared["NAME"] = str(path)
    del connections["default"]
    yield f"sqlite:///{path}"
    connections["default"].close()
    shared["NAME"], connections["default"] = name, memory
