"""Everything lives in another database than `default`, which has no tables."""

from __future__ import annotations

from typing import Any

from tests import services
from tests.settings import *  # noqa: F403

DATABASES = {"default": services.database("second_empty"), "second": services.database("second_full")}
DATABASE_ROUTERS = ["tests.projects.second_database.Router"]


class Router:
    """Use the second database for everything."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "second"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "second"

    def allow_relation(self, *objects: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "second"
