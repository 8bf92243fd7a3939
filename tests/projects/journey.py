"""What must work in every project, whatever its settings: run by `test_journey.py` under each of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import get_script_prefix, reverse

from django_introspection.conf import introspection_settings
from django_introspection.models import Client, Token
from django_introspection.models.fields import uuid7
from tests import endpoints, factories
from tests.settings import AUDIENCE

pytestmark = pytest.mark.django_db(databases="__all__")

FOLD = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
"""01:30 in New York for the first time that night; an hour later it is 01:30 again."""
GAP = datetime(2027, 3, 14, 6, 30, tzinfo=UTC)
"""01:30 in New York; half an hour later it is three o'clock."""


def person() -> Any:
    model = get_user_model()
    return model.objects.create(**{model.USERNAME_FIELD: "ada@example.com"})


def ask(token: str) -> Any:
    return Browser().get("/whoami", headers={"Authorization": f"Bearer {token}"})


def test_a_token_of_a_person_is_described_and_opens_a_view() -> None:
    ada, resource_server = person(), factories.ResourceServerFactory()
    issued = factories.TokenFactory(user=ada)

    members = endpoints.introspect(issued.access_token, auth=resource_server).json()

    assert members["active"] is True
    assert members["username"] == "ada@example.com"
    assert members["sub"] == introspection_settings.SUBJECT(ada)
    assert ask(issued.access_token).data == {"user": str(ada.pk), "sub": members["sub"]}


def test_a_machine_gets_a_token_uses_it_and_revokes_it() -> None:
    machine, resource_server = factories.RegistrationFactory(), factories.ResourceServerFactory()

    answer = endpoints.post("/oauth/token", {"grant_type": "client_credentials"}, auth=machine)
    token = answer.json()["access_token"]

    assert ask(token).status_code == 200
    assert endpoints.post("/oauth/revoke/", {"token": token}, auth=machine).status_code == 200
    assert ask(token).status_code == 401
    assert endpoints.introspect(token, auth=resource_server).json() == {"active": False}


def test_a_refresh_token_that_is_used_twice_ends_its_grant_although_the_answer_is_an_error() -> None:
    holder = factories.RegistrationFactory(grant_types=["client_credentials", "refresh_token"])
    issued = factories.TokenFactory(client=holder.client, user=person(), refresh=True)
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}

    first = endpoints.post("/oauth/token", form, auth=holder)
    again = endpoints.post("/oauth/token", form, auth=holder)

    assert (first.status_code, again.status_code) == (200, 400)
    for token in (issued.access_token, first.json()["access_token"], first.json()["refresh_token"]):
        assert endpoints.introspect(token, auth=holder).json() == {"active": False}


@pytest.mark.parametrize("start", [FOLD, FOLD + timedelta(hours=1), GAP, GAP + timedelta(hours=1)])
def test_a_token_lives_exactly_its_hour_whatever_the_clocks_on_the_wall_do(start: datetime) -> None:
    machine = factories.RegistrationFactory()
    with time_machine.travel(start, tick=False) as clock:
        token = factories.TokenFactory(client=machine.client).access_token
        members = endpoints.introspect(token, auth=machine).json()
        clock.shift(3599)
        last_second = endpoints.introspect(token, auth=machine).json()
        clock.shift(1)
        after = endpoints.introspect(token, auth=machine).json()

    assert members["iat"] == start.timestamp()
    assert members["exp"] == start.timestamp() + 3600
    assert last_second["active"] is True
    assert after == {"active": False}


def test_a_person_sees_an_app_and_revokes_its_access() -> None:
    ada, browser = person(), Browser()
    browser.force_login(ada)
    with time_machine.travel(FOLD + timedelta(hours=1), tick=False):  # the second 01:30 of the night in New York
        issued = factories.TokenFactory(user=ada, refresh=True)
        page = browser.get("/account/apps/").content.decode()
        address = re.search(r'href="([^"]+/grants/[^"]+)"', page)
        assert address
        answer = browser.post(address[1].removeprefix(get_script_prefix().rstrip("/")))
        afterwards = browser.get("/account/apps/").content.decode()

    assert 'datetime="2026-11-01T01:30:00-05:00">Nov. 1, 2026, 1:30 a.m.' in page
    assert (answer.status_code, answer.headers["Location"]) == (302, reverse("introspection_self_service:grants"))
    assert "The access was revoked." in afterwards
    assert "No app has access to your account." in afterwards
    assert ask(issued.access_token).status_code == 401


def test_an_endpoint_opens_no_transaction_of_its_own() -> None:
    machine = factories.RegistrationFactory()
    token = factories.TokenFactory(client=machine.client).access_token
    endpoints.introspect(token, auth=machine)

    with CaptureQueriesContext(connection) as queries:
        endpoints.introspect(token, auth=machine)

    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]


def test_the_metadata_name_urls_that_answer() -> None:
    issuer = settings.TOKEN_INTROSPECTION["ISSUER"]
    path = issuer.partition("://")[2].partition("/")[2]

    members = Browser().get(f"/.well-known/oauth-authorization-server/{path}".rstrip("/")).json()

    assert members["issuer"] == issuer
    assert members["introspection_endpoint"] == issuer + "/oauth/introspect"


def test_a_client_is_registered_in_the_admin_and_its_secret_works() -> None:
    model = get_user_model()
    admin = model.objects.create(
        **{model.USERNAME_FIELD: "admin@example.com"}, is_active=True, is_staff=True, is_superuser=True
    )
    browser = Browser()
    browser.force_login(admin)

    page = browser.post(
        "/admin/introspection/client/add/",
        {
            "form_id": uuid7(),
            "purpose": "resource-server",
            "client_name": "Made by hand",
            "client_id": "made-by-hand",
            "token_endpoint_auth_method": "client_secret_basic",
            "resources": AUDIENCE,
        },
    )
    client = Client.objects.using("default").get(client_id="made-by-hand")
    secret = page.context["secret"]

    assert secret in page.content.decode()
    assert endpoints.introspect("unknown", auth=(client, secret)).json() == {"active": False}
    assert Token.objects.using("default").count() == 0
