"""Defects that other implementations have had at the introspection endpoint, and this one must not have."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from django_introspection.models import Client, Token
from tests import endpoints, factories
from tests.authorization_server.helpers import (
    assert_inactive,
    assert_refused,
)
from tests.misbehaving.server import MisbehavingServer

METADATA = "/.well-known/oauth-authorization-server"


def explode(*_: Any, **__: Any) -> Any:
    raise AssertionError("a password hasher was asked")


class ExplosiveHasher:
    """A password hasher that must not be asked."""

    algorithm = "explosive"
    encode = verify = harden_runtime = explode


@pytest.mark.parametrize("secret", ["", " ", "short"])
def test_there_is_no_empty_or_short_secret(db: None, secret: str) -> None:
    with pytest.raises(ValidationError):
        factories.RegistrationFactory(client_secret=secret)
    assert not Client.objects.exists()


def test_a_client_without_secrets_authenticates_with_nothing(machine: Any) -> None:
    machine.client.secrets.all().delete()

    for auth in (endpoints.basic(machine.client.client_id, ""), (machine.client, "x" * 40), None):
        assert_refused(
            endpoints.post("/oauth/introspect", {"token": "x", "client_id": machine.client.client_id}, auth=auth),
            401,
            "invalid_client",
        )


def test_no_password_hasher_is_asked(settings: Any, machine: Any) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.ExplosiveHasher"]

    assert_inactive(endpoints.introspect("x", auth=machine))
    assert endpoints.introspect("x", auth=(machine.client, "x" * 40)).status_code == 401


def test_the_expiry_has_an_index(db: None) -> None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Token._meta.db_table).values()

    assert "expires_at" in [each["columns"][0] for each in found if each["index"]]


def test_a_client_id_that_is_a_url_is_never_fetched(db: None) -> None:
    with MisbehavingServer("active") as elsewhere:
        form = {"token": "x", "client_id": elsewhere.url, "client_secret": "w" * 40}
        assert endpoints.post("/oauth/introspect", form).status_code == 401
        assert endpoints.introspect("x", auth=endpoints.basic(quote(elsewhere.url), "w" * 40)).status_code == 401

        assert elsewhere.connections == 0


def test_a_healthy_resource_server_asks_as_often_as_it_likes(resource_server: Any) -> None:
    token = factories.TokenFactory().access_token

    answers = [endpoints.introspect(token, auth=resource_server) for _ in range(60)]

    assert {answer.json()["active"] for answer in answers} == {True}
    assert {answer.json()["token_type"] for answer in answers} == {"Bearer"}
