"""Tokens that django-oauth-toolkit gave at its own endpoints, asked about at ours."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection, models
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext
from oauth2_provider.models import get_access_token_model

from tests.settings import AUDIENCE, ISSUER

from . import flows


def test_a_machine_token_has_every_member_that_is_known(shop: flows.Application, api: flows.Application) -> None:
    before = int(time.time())
    token = flows.client_credentials(shop, resource=AUDIENCE)

    members = flows.members(token, api)

    assert before <= members.pop("iat") <= time.time()
    assert before + 36000 <= members.pop("exp") <= time.time() + 36000
    assert members == {
        "active": True,
        "scope": "orders:read",
        "client_id": shop.client.client_id,
        "sub": shop.client.client_id,
        "token_type": "Bearer",
        "iss": ISSUER,
        "aud": [AUDIENCE],
    }


def test_a_users_token_from_a_code_names_the_user(api: flows.Application, user: Any) -> None:
    tokens = flows.authorization_code(flows.code_application(), user)

    members = flows.members(tokens["access_token"], api)

    assert (members["active"], members["sub"], members["username"]) == (True, str(user.pk), user.username)
    assert "aud" not in members


def test_the_protected_view_takes_the_token_and_knows_the_local_user(user: Any) -> None:
    token = flows.authorization_code(flows.code_application(), user)["access_token"]

    with CaptureQueriesContext(connection) as captured:
        response = flows.view(token)

    assert response.json() == {"user": str(user.pk), "sub": str(user.pk)}
    assert len(captured) == 1
    assert flows.view(token, "/theirs").status_code == 200


def test_the_query_of_a_view_is_compiled_once(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    application = flows.code_application()
    first, second = (flows.authorization_code(application, user)["access_token"] for _ in range(2))
    assert flows.view(first).status_code == 200
    compiled = 0
    as_sql = SQLCompiler.as_sql

    def counting(self: SQLCompiler, *arguments: Any, **options: Any) -> Any:
        nonlocal compiled
        compiled += 1
        return as_sql(self, *arguments, **options)

    monkeypatch.setattr(SQLCompiler, "as_sql", counting)

    assert flows.view(second).status_code == 200
    assert compiled == 0


class Chosen(models.Manager[Any]):
    """A manager of a project, whose rows depend on something else than the query."""

    shows = True

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset() if self.shows else super().get_queryset().none()


def test_a_manager_of_the_project_is_asked_for_each_token(
    shop: flows.Application, monkeypatch: pytest.MonkeyPatch, kept_look_ups: None
) -> None:
    token = flows.client_credentials(shop)
    manager = Chosen()
    manager.model = get_access_token_model()
    monkeypatch.setitem(vars(get_access_token_model()._meta), "default_manager", manager)
    assert flows.view(token).status_code == 200

    manager.shows = False

    assert flows.view(token).status_code == 401


def test_a_machine_token_opens_a_view_as_a_client_and_not_as_nobody(shop: flows.Application) -> None:
    assert flows.view(flows.client_credentials(shop)).status_code == 200


def test_an_introspection_takes_two_statements(shop: flows.Application, api: flows.Application) -> None:
    token = flows.client_credentials(shop)
    flows.members(token, api)  # Django asks SQLite once whether it knows JSON
    with CaptureQueriesContext(connection) as captured:
        assert flows.members(token, api)["active"] is True

    assert len(captured) == 2


def test_a_refresh_ends_the_old_tokens_and_the_new_ones_are_good(user: Any, api: flows.Application) -> None:
    application = flows.code_application()
    flows.allow(application)
    first = flows.authorization_code(application, user)
    second = flows.refresh(application, first["refresh_token"])

    assert flows.members(first["access_token"], api) == {"active": False}
    assert flows.members(first["refresh_token"], application) == {"active": False}
    assert flows.members(second["access_token"], api)["active"] is True
    assert flows.members(second["refresh_token"], application)["active"] is True


def test_a_refresh_token_is_described_to_its_client_alone(user: Any, api: flows.Application) -> None:
    application = flows.code_application()
    value = flows.authorization_code(application, user)["refresh_token"]

    members = flows.members(value, application)

    assert (members["active"], members["scope"], members["sub"]) == (True, "orders:read", str(user.pk))
    assert not {"token_type", "exp"} & members.keys()
    assert members["token_use"] == "refresh_token"
    assert flows.members(value, api) == {"active": False}
    assert flows.view(value).status_code == 401


def test_a_revoked_token_and_its_refresh_token_are_inactive_at_once(user: Any, api: flows.Application) -> None:
    application = flows.code_application()
    tokens = flows.authorization_code(application, user)
    flows.revoke(application, tokens["access_token"])

    assert flows.members(tokens["access_token"], api) == {"active": False}
    assert flows.members(tokens["refresh_token"], application) == {"active": False}
    assert flows.view(tokens["access_token"]).status_code == 401
