"""Defects that other implementations have had at the introspection endpoint, and this one must not have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.http import HttpResponse
from django.test import Client as Browser

from django_introspection.models import Client, Token
from django_introspection.protocol import opaque
from tests import endpoints, factories
from tests.authorization_server.helpers import (
    assert_inactive,
    assert_refused,
    everything_stored,
)
from tests.misbehaving.server import MisbehavingServer

METADATA = "/.well-known/oauth-authorization-server"


def explode(*_: Any, **__: Any) -> Any:
    raise AssertionError("a password hasher was asked")


class ExplosiveHasher:
    """A password hasher that must not be asked."""

    algorithm = "explosive"
    encode = verify = harden_runtime = explode


def test_a_client_reads_no_token_of_another(user: Any, machine: Any) -> None:
    assert_inactive(endpoints.introspect(factories.TokenFactory(user=user).access_token, auth=machine))


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


@pytest.mark.requirement("9110-15.5.6-a")
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post_is_served(machine: Any, method: str) -> None:
    token = factories.TokenFactory(client=machine.client).access_token
    headers = {"Authorization": endpoints.basic(machine.client.client_id, machine.secret)}

    response = Browser().generic(method, f"/oauth/introspect?token={token}", headers=headers)

    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert b"active" not in response.content


def test_a_refresh_token_opens_no_view_and_is_described_as_no_access_token(user: Any) -> None:
    issued = factories.TokenFactory(user=user, refresh=True)
    caller = factories.ResourceServerFactory(introspection_policy="any")

    response = Browser().get("/whoami", headers={"Authorization": f"Bearer {issued.refresh_token}"})

    assert response.status_code == 401
    assert_inactive(endpoints.introspect(issued.refresh_token, auth=caller))


def test_times_are_right_without_time_zones(settings: Any, resource_server: Any) -> None:
    settings.USE_TZ, settings.TIME_ZONE = False, "America/New_York"
    before = int(datetime.now(UTC).timestamp())

    members = endpoints.introspect(factories.TokenFactory().access_token, auth=resource_server).json()

    assert before <= members["iat"] <= before + 60
    assert members["exp"] == members["iat"] + 3600


def test_every_member_is_sent_and_none_is_empty(resource_server: Any, user: Any) -> None:
    now = datetime.now(UTC)
    full = factories.TokenFactory(user=user, not_before=now).access_token
    bare = factories.TokenFactory(scope="").access_token

    members = endpoints.introspect(full, auth=resource_server).json()

    assert {"sub", "iss", "iat", "token_type", "nbf", "jti"} <= members.keys()
    assert "scope" not in endpoints.introspect(bare, auth=resource_server).json()


def test_no_password_hasher_is_asked(settings: Any, machine: Any) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.ExplosiveHasher"]

    assert_inactive(endpoints.introspect("x", auth=machine))
    assert endpoints.introspect("x", auth=(machine.client, "x" * 40)).status_code == 401


def test_two_methods_of_authentication_at_once_are_400(machine: Any) -> None:
    both = {"token": "x", "client_id": machine.client.client_id, "client_secret": machine.secret}

    assert_refused(endpoints.post("/oauth/introspect", both, auth=machine), 400, "invalid_request")


def test_each_introspection_has_a_signal_and_a_log_line_and_guessing_a_limit(
    machine: Any, heard: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "django_introspection.security")
    endpoints.introspect("x", auth=machine)
    last = HttpResponse()
    for _ in range(21):
        last = endpoints.introspect("x", auth=(machine.client, "w" * 40))

    assert "token_introspected" in [name for name, _ in heard]
    assert f"token introspected caller={machine.client.client_id} inactive: unknown" in caplog.messages
    assert last.status_code == 429


def test_no_token_and_no_secret_is_stored(machine: Any) -> None:
    issued = factories.TokenFactory(client=machine.client, refresh=True)
    stored = everything_stored()

    for value in (issued.access_token, issued.refresh_token, machine.secret):
        assert value not in stored


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


def test_the_metadata_says_every_way_to_authenticate(db: None) -> None:
    document = Browser().get(METADATA).json()

    assert set(document["introspection_endpoint_auth_methods_supported"]) >= {"client_secret_basic", "Bearer"}
    assert "introspection" in document["scopes_supported"]


def test_a_revocation_asks_whose_token_it_is(machine: Any) -> None:
    issued = factories.TokenFactory(client=machine.client)
    other = factories.RegistrationFactory()

    assert endpoints.post("/oauth/revoke", {"token": issued.access_token}, auth=other).status_code == 400
    assert endpoints.introspect(issued.access_token, auth=machine).json()["active"] is True


def test_a_healthy_resource_server_asks_as_often_as_it_likes(resource_server: Any) -> None:
    token = factories.TokenFactory().access_token

    answers = [endpoints.introspect(token, auth=resource_server) for _ in range(60)]

    assert {answer.json()["active"] for answer in answers} == {True}
    assert {answer.json()["token_type"] for answer in answers} == {"Bearer"}


def test_credentials_are_form_decoded(db: None) -> None:
    secret = "a+b%25 c:" * 5
    client, _ = factories.ResourceServerFactory(client_id="a:b+c%2F", client_secret=secret)

    assert_inactive(endpoints.introspect(opaque.generate(opaque.ACCESS_TOKEN), auth=(client, secret)))
