"""What the system checks say of a project with django-oauth-toolkit."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks

from django_introspection.check_messages import TAG


class ElsewhereRouter:
    """Keep the clients of this app in another database than everything else."""

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "other" if model._meta.app_label == "introspection" else None


def ids() -> list[str | None]:
    return [message.id for message in checks.run_checks(tags=[TAG])]


def test_the_project_passes_its_checks() -> None:
    assert ids() == []


def test_tables_in_another_database_are_an_error(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.ElsewhereRouter"]

    assert ids() == ["introspection.E031"]


@pytest.mark.parametrize("key", ["INTROSPECTION_BACKEND", "CLIENT_SOURCES"])
def test_a_wrong_setting_is_said_once(key: str, configured: Any) -> None:
    configured(**{key: 7})

    assert ids() == ["introspection.E002"]
