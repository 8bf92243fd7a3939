"""A primary and a replica that lags for ever: what is decided must be read from the primary."""

from __future__ import annotations

from typing import Any

from tests import services
from tests.settings import *  # noqa: F403

DATABASES = {"default": services.database("replica_primary"), "replica": services.database("replica_lagging")}
DATABASE_ROUTERS = ["tests.projects.replica.Router"]


class Router:
    """Read clients and tokens from the replica, and write to the primary."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "replica" if model._meta.app_label == "introspection" else "default"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"

    def allow_relation(self, *objects: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return True
