from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from django_introspection.authorization_server.issuing import add_secret
from django_introspection.models import Client, ClientSecret, Token, TokenKind
from django_introspection.protocol import opaque
from tests import endpoints, factories
from tests.authorization_server.helpers import everything_stored
from tests.settings import AUDIENCE

SECRET = "a-provisioned-secret-of-32-or-more"
START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.requirement("6749-10.3-a", "6749-2.3.1-h")
def test_values_are_returned_once_and_stored_nowhere_in_the_clear(user: Any) -> None:
    registration = factories.RegistrationFactory()
    provisioned = factories.RegistrationFactory(client_secret=SECRET)
    further = add_secret(registration.client)
    issued = Token.objects.issue(
        client=registration.client, user=user, scope="orders:read", audience=[AUDIENCE], refresh=True
    )
    endpoints.introspect(issued.access_token, auth=registration)
    values = [registration.secret, provisioned.secret, further, issued.access_token, issued.refresh_token]

    stored = everything_stored()

    assert registration.client.client_id in stored
    assert len(set(values)) == 5
    assert not [value for value in values if value in stored]
    assert set(ClientSecret.objects.values_list("hint", flat=True)) == {value[-4:] for value in values[:3]}


def test_nothing_made_of_a_value_shows_it_in_repr_or_str(machine: Any) -> None:
    issued = factories.TokenFactory(client=machine.client, refresh=True)
    values = [machine.secret, issued.access_token, issued.refresh_token]
    shown = [*machine.client.secrets.all(), *Token.objects.all(), machine.client, machine, issued]

    texts = "".join(f"{thing!r} {thing!s} {thing}" for thing in shown)

    assert not [value for value in values if value in texts]
    assert machine.client.client_id in repr(machine)


def test_access_and_refresh_token_share_a_grant_and_have_their_own_expiry(
    settings: Any, machine: Any, time_machine: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {"ACCESS_TOKEN_LIFETIME": 300, "REFRESH_TOKEN_LIFETIME": 9000}
    time_machine.move_to(START, tick=False)

    issued = Token.objects.issue(client=machine.client, refresh=True)

    access, refresh = (Token.objects.get(kind=kind) for kind in (TokenKind.ACCESS, TokenKind.REFRESH))
    assert (access.digest, refresh.digest) == (opaque.digest(issued.access_token), opaque.digest(issued.refresh_token))
    assert access.grant_id == refresh.grant_id
    assert (access.expires_at, refresh.expires_at) == (START + timedelta(seconds=300), START + timedelta(seconds=9000))
    assert (issued.expires_in, issued.token) == (300, access)


def test_two_grants_share_nothing(machine: Any) -> None:
    Token.objects.issue(client=machine.client)
    Token.objects.issue(client=machine.client)

    assert Token.objects.values("grant_id").distinct().count() == 2


@pytest.mark.requirement("6750-5.2-a")
def test_every_token_has_an_end_and_an_hour_is_the_default(machine: Any) -> None:
    assert Token.objects.issue(client=machine.client).expires_in == 3600
    assert not Token._meta.get_field("expires_at").null


@pytest.mark.parametrize(
    "grant",
    [
        {"scope": 'a"b'},
        {"scope": "a  b"},
        {"scope": "a\nb"},
        {"audience": ["orders"]},
        {"audience": [f"{AUDIENCE}#f"]},
        {"audience": AUDIENCE},
        {"audience": [7]},
        {"lifetime": timedelta(0)},
        {"lifetime": timedelta(seconds=-5)},
        {"lifetime": timedelta(milliseconds=999)},
        {"members": {"exp": 1}},
        {"members": {"cnf": None}},
        {"members": {"cnf": "x"}},
    ],
    ids=str,
)
def test_a_wrong_grant_issues_nothing(machine: Any, grant: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Token.objects.issue(client=machine.client, **grant)

    assert not Token.objects.exists()


def test_an_inactive_client_or_user_gets_no_tokens(machine: Any) -> None:
    inactive = factories.UserFactory(is_active=False)
    with pytest.raises(ValidationError):
        Token.objects.issue(client=machine.client, user=inactive)
    machine.client.is_active = False
    with pytest.raises(ValidationError):
        Token.objects.issue(client=machine.client)

    assert not Token.objects.exists()


@pytest.mark.parametrize(
    "metadata",
    [
        {"client_name": ""},
        {"client_id": ""},
        {"client_id": "with space"},
        {"client_id": "ünïcode"},
        {"client_id": "line\nbreak"},
        {"client_id": "x\n"},
        {"client_id": "x" * 256},
        {"client_id": "12345"},
        {"client_id": "taken"},
        {"token_endpoint_auth_method": "none"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"introspection_policy": "everything"},
        {"grant_types": ["password"]},
        {"grant_types": "client_credentials"},
        {"grant_types": {"client_credentials": True}},
        {"grant_types": [["client_credentials"]]},
        {"scope": "a  b"},
        {"resource_scopes": 'a"b'},
        {"resources": ["orders"]},
        {"resources": AUDIENCE},
        {"allowed_resources": [f"{AUDIENCE}#f"]},
        {"allowed_resources": [None]},
        {"client_secret": ""},
        {"client_secret": "x" * 31},
        {"client_secret": SECRET + "\x00"},
        {"client_secret": SECRET + "\n"},
        {"client_secret": SECRET + "\ud800"},
    ],
    ids=repr,
)
def test_wrong_metadata_or_a_weak_secret_registers_nothing(db: None, metadata: dict[str, Any]) -> None:
    factories.RegistrationFactory(client_id="taken")

    with pytest.raises(ValidationError) as error:
        Client.objects.register(**{"client_name": "New", **metadata})

    assert Client.objects.count() == 1
    assert SECRET not in str(error.value)


@pytest.mark.requirement("9700-4.15.1-a")
def test_a_generated_client_id_cannot_be_the_id_of_a_user(db: None) -> None:
    client = Client.objects.register(client_name="New").client

    assert client.client_id.startswith("client-")
    assert not get_user_model().objects.filter(username=client.client_id).exists()
    with pytest.raises(ValueError, match=client.client_id):
        get_user_model().objects.filter(pk=client.client_id)


def test_a_client_without_a_policy_or_name_for_its_grants_gets_none(db: None) -> None:
    client = Client.objects.register(client_name="New").client

    assert (client.grant_types, client.scope, client.allowed_resources) == ([], "", [])


def test_the_same_secret_cannot_be_added_twice(machine: Any) -> None:
    add_secret(machine.client, SECRET)

    with pytest.raises(ValidationError) as error:
        add_secret(machine.client, SECRET)

    assert machine.client.secrets.count() == 2
    assert SECRET not in str(error.value)


@pytest.mark.django_db
def test_a_provisioned_secret_has_at_least_32_characters() -> None:
    client = factories.RegistrationFactory().client
    assert add_secret(client, "x" * 32) == "x" * 32

    with pytest.raises(ValidationError, match="at least 32 characters"):
        add_secret(client, "y" * 31)
