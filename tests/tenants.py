"""A project with a database for each tenant, chosen by a context variable as a middleware sets it for a request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connections, models

from tests import services

ROUTER = f"{__name__}.Router"
OTHER = "other_tenant"
_alias: ContextVar[str] = ContextVar("alias", default="default")


class Router:
    """Use the database of the tenant."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return _alias.get()

    db_for_write = db_for_read


@contextmanager
def tenant(alias: str = OTHER) -> Iterator[None]:
    """Be in the context of a tenant."""
    token = _alias.set(alias)
    try:
        yield
    finally:
        _alias.reset(token)


@contextmanager
def database_of_other_tenant(*tables: type[models.Model]) -> Iterator[None]:
    """Make the database of another tenant, with some empty tables."""
    connections.settings[OTHER] = {
        **connections.settings["default"],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "OPTIONS": services.SQLITE_OPTIONS,
    }
    connection = connections[OTHER]
    try:
        connection.connect()  # now: a test may open no connection later that it has not announced
        connection.disable_constraint_checking()
        with connection.schema_editor() as editor:
            for table in tables:
                editor.create_model(table)
        yield
    finally:
        connection.connection.close()
        del connections[OTHER], connections.settings[OTHER]
