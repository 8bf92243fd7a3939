"""Clients that this process keeps for seconds: what they save, and what ends them (CLIENT_LOCAL_MAX_AGE)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from django_introspection.authorization_server import kept_callers as module
from django_introspection.authorization_server.client_secrets import note_use
from django_introspection.authorization_server.deferred_work import run_deferred_work
from django_introspection.authorization_server.kept_callers import kept_callers
from django_introspection.authorization_server.provisioning import rotate_secret
from django_introspection.models import Client, ClientSecret, Token
from django_introspection.models.fields import now
from tests import endpoints, factories, tenants
from tests.authorization_server.helpers import assert_refused, introspecting_client

pytestmark = pytest.mark.django_db
SECONDS = 20


@pytest.fixture(autouse=True)
def kept(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "CLIENT_LOCAL_MAX_AGE": SECONDS}


@pytest.fixture
def token() -> str:
    return str(factories.TokenFactory(user=factories.UserFactory()).access_token)


@pytest.fixture
def caller(token: str) -> Any:
    """A client that has introspected a moment ago."""
    registered = introspecting_client()
    for _ in range(2):
        assert endpoints.introspect(token, auth=registered).json()["active"]
    return registered


def disable(caller: Any) -> None:
    caller.client.is_active = False
    caller.client.save()


def retire(caller: Any) -> None:
    rotate_secret(caller.client, others_expire_at=now())


def delete_secret(caller: Any) -> None:
    ClientSecret.objects.filter(client=caller.client).delete()


def disable_elsewhere(caller: Any) -> None:
    Client.objects.filter(pk=caller.client.pk).update(is_active=False)


@pytest.mark.parametrize(("value", "statements"), [(None, 1), ("dit_at_short", 0), ("unknown", 1)])
def test_a_kept_client_costs_no_statement_and_a_token_one(
    caller: Any, token: str, django_assert_num_queries: Any, value: str | None, statements: int
) -> None:
    with django_assert_num_queries(statements) as captured:
        assert endpoints.introspect(value or token, auth=caller).json()["active"] is (value is None)

    assert not any("introspection_clientsecret" in query["sql"] for query in captured.captured_queries)


def test_without_the_setting_no_client_is_kept(caller: Any, token: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "CLIENT_LOCAL_MAX_AGE": 0}
    endpoints.introspect(token, auth=caller)

    assert not kept_callers._places


@pytest.mark.parametrize("change", [disable, retire, delete_secret])
def test_a_change_by_this_process_is_noticed_at_once(caller: Any, token: str, change: Any) -> None:
    change(caller)

    assert_refused(endpoints.introspect(token, auth=caller), 401, "invalid_client")


def test_a_change_by_another_process_is_noticed_after_the_seconds(token: str) -> None:
    with time_machine.travel(now(), tick=False) as clock:
        caller = introspecting_client()
        assert endpoints.introspect(token, auth=caller).status_code == 200
        disable_elsewhere(caller)

        clock.shift(SECONDS - 1)
        assert endpoints.introspect(token, auth=caller).status_code == 200
        clock.shift(1)
        assert_refused(endpoints.introspect(token, auth=caller), 401, "invalid_client")


def test_a_secret_that_expires_is_refused_although_it_is_kept(token: str) -> None:
    with time_machine.travel(now(), tick=False) as clock:
        caller = introspecting_client()
        ClientSecret.objects.update(expires_at=now() + timedelta(seconds=5))
        assert endpoints.introspect(token, auth=caller).status_code == 200

        clock.shift(5)
        assert_refused(endpoints.introspect(token, auth=caller), 401, "invalid_client")


def test_a_clock_that_was_set_back_keeps_no_client_longer(token: str) -> None:
    with time_machine.travel(now(), tick=False) as clock:
        caller = introspecting_client()
        assert endpoints.introspect(token, auth=caller).status_code == 200
        disable_elsewhere(caller)

        clock.shift(-1)
        assert_refused(endpoints.introspect(token, auth=caller), 401, "invalid_client")


@pytest.mark.django_db(transaction=True)
def test_what_was_read_during_a_change_is_forgotten_when_it_is_committed(caller: Any, token: str) -> None:
    with transaction.atomic():
        disable(caller)
        kept_callers.keep(("read", b"before"), caller.client.secrets.get(), kept_callers.epoch)  # by another thread

    assert not kept_callers._places


def test_what_was_read_before_a_change_is_not_kept_after_it(caller: Any) -> None:
    epoch = kept_callers.epoch
    disable(caller)

    kept_callers.keep(("read", b"before"), caller.client.secrets.get(), epoch)

    assert not kept_callers._places


@pytest.mark.parametrize("secret", ["dit_cs_" + "a" * 49, "another"])
def test_another_secret_of_a_kept_client_is_refused(caller: Any, token: str, secret: str) -> None:
    assert_refused(endpoints.introspect(token, auth=(caller.client, secret)), 401, "invalid_client")


def test_another_method_of_a_kept_client_is_refused(caller: Any, token: str) -> None:
    form = {"token": token, "client_id": caller.client.client_id, "client_secret": caller.secret}

    assert_refused(endpoints.post("/oauth/introspect", form), 401, "invalid_client")


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke"])
def test_the_other_endpoints_look_up_the_client_each_time(caller: Any, token: str, path: str) -> None:
    disable_elsewhere(caller)

    form = {"token": token, "grant_type": "client_credentials"}
    assert_refused(endpoints.post(path, form, auth=caller), 401, "invalid_client")


def test_the_number_of_kept_clients_is_bounded(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CALLERS", 3)
    for _ in range(8):
        assert endpoints.introspect(token, auth=introspecting_client()).status_code == 200
        assert len(kept_callers._places) <= 3


def test_a_client_that_is_kept_pushes_no_other_out(token: str, django_assert_num_queries: Any) -> None:
    callers = [introspecting_client() for _ in range(3)]
    for _ in range(2):
        for each in callers:
            endpoints.introspect(token, auth=each)

    with django_assert_num_queries(len(callers)) as captured:
        assert all(endpoints.introspect(token, auth=each).json()["active"] for each in callers)
    assert not any("introspection_clientsecret" in query["sql"] for query in captured.captured_queries)


def test_the_use_of_a_kept_secret_is_noted_once_a_minute(caller: Any, token: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "CLIENT_LOCAL_MAX_AGE": 600}
    with time_machine.travel(now(), tick=False) as clock:
        endpoints.introspect(token, auth=caller)
        clock.shift(61)
        counts = []
        for _ in range(2):
            with CaptureQueriesContext(connection) as captured:
                endpoints.introspect(token, auth=caller)
            counts.append(len(captured))

    assert counts == [2, 1]


def test_a_client_of_one_tenant_is_none_of_another(token: str, settings: Any) -> None:
    settings.DATABASE_ROUTERS = [tenants.ROUTER]
    with tenants.database_of_other_tenant(get_user_model(), Client, ClientSecret, Token):
        caller = introspecting_client()
        for _ in range(2):
            assert endpoints.introspect(token, auth=caller).json()["active"]

        with tenants.tenant():
            assert_refused(endpoints.introspect(token, auth=caller), 401, "invalid_client")
        assert endpoints.introspect(token, auth=caller).json()["active"]


def test_the_use_of_a_secret_is_noted_in_the_database_of_its_tenant(rf: Any, settings: Any) -> None:
    settings.DATABASE_ROUTERS = [tenants.ROUTER]
    with tenants.database_of_other_tenant(get_user_model(), Client, ClientSecret):
        with tenants.tenant():
            secret = introspecting_client().client.secrets.get()
            request = rf.get("/")
            note_use(request, secret)
        run_deferred_work(request, response := HttpResponse())
        response.close()  # by the server, which knows no tenant

        with tenants.tenant():
            assert ClientSecret.objects.get().last_used_at is not None
