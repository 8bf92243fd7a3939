"""What the system checks say of a project with django-oauth-toolkit."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from django.core import checks
from django.test import override_settings
from django.urls import path
from django.utils.module_loading import import_string

from django_introspection.check_messages import TAG
from tests.resource_server.protected import protect


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

    found = checks.run_checks(tags=[TAG])
    assert {message.id for message in found} == {"introspection.E031"}
    assert {"introspection.Token", "oauth2_provider"} <= {message.obj for message in found}


@pytest.mark.parametrize("key", ["INTROSPECTION_BACKEND", "CLIENT_SOURCES"])
def test_a_wrong_setting_is_said_once(key: str, configured: Any) -> None:
    configured(**{key: 7})

    assert ids() == ["introspection.E002"]


@pytest.mark.parametrize("permission", ["TokenHasScope", "TokenHasReadWriteScope", "IsAuthenticatedOrTokenHasScope"])
def test_a_permission_class_of_theirs_beside_our_authentication_is_an_error(permission: str) -> None:
    theirs = import_string(f"oauth2_provider.contrib.rest_framework.{permission}")
    urls = ModuleType("urls")
    urls.urlpatterns = [path("orders", protect(permission_classes=[theirs]).as_view())]

    with override_settings(ROOT_URLCONF=urls):
        found = [message for message in checks.run_checks(tags=[TAG]) if message.id == f"{TAG}.E043"]

    assert [permission in message.msg for message in found] == [True]
    assert ("every token opens the view" in found[0].msg) is (permission == "IsAuthenticatedOrTokenHasScope")
