"""What allauth revokes is revoked wherever answers are cached, where its hash says which token it was."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from allauth.idp.oidc.models import Client as OIDCClient
from allauth.idp.oidc.models import Token
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils import timezone

from django_introspection import revocations
from django_introspection.authorization_server.restoring import restore_all
from django_introspection.contrib.allauth import write_tombstones
from django_introspection.protocol.jwt import token_identity

from . import flows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _tombstones(configured: Any, db: None) -> None:
    configured(REVOCATIONS={"ALIAS": "default"})
    restore_all()


@pytest.fixture
def client() -> flows.Registered:
    return flows.register()


@pytest.fixture
def tokens(client: flows.Registered) -> dict[str, Any]:
    return dict(flows.authorization_code(client, flows.new_user()))


def is_dead(token: str) -> bool:
    return revocations.is_revoked(token_identity(token))


WAYS = {
    "its endpoint": lambda client, tokens: flows.revoke(client, tokens["access_token"]),
    "QuerySet.delete": lambda client, tokens: Token.objects.all().delete(),
    "the user is deleted": lambda client, tokens: get_user_model().objects.all().delete(),
    "the client is deleted": lambda client, tokens: OIDCClient.objects.all().delete(),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_tombstone_is_written_whatever_the_way(way: str, client: flows.Registered, tokens: dict[str, Any]) -> None:
    assert not is_dead(tokens["access_token"])

    WAYS[way](client, tokens)

    assert is_dead(tokens["access_token"])
    assert not is_dead(tokens["refresh_token"])


def test_a_token_that_is_made_to_expire_is_dead(tokens: dict[str, Any]) -> None:
    row = Token.objects.get(type="at")
    row.expires_at = timezone.now()
    row.save()

    assert is_dead(tokens["access_token"])


def test_cleaning_up_writes_nothing_for_what_has_expired(tokens: dict[str, Any]) -> None:
    Token.objects.update(expires_at=timezone.now() - timedelta(days=1))
    call_command("oidc_cleartokens", stdout=StringIO())

    assert not Token.objects.exists()
    assert not is_dead(tokens["access_token"])


def test_a_bulk_update_is_not_seen_and_can_be_told(tokens: dict[str, Any]) -> None:
    rows = list(Token.objects.all())
    Token.objects.update(expires_at=timezone.now())
    assert not is_dead(tokens["access_token"])

    write_tombstones(rows)

    assert is_dead(tokens["access_token"])


def test_a_token_that_never_expires_is_noted_as_well(tokens: dict[str, Any]) -> None:
    Token.objects.update(expires_at=None)
    Token.objects.all().delete()

    assert is_dead(tokens["access_token"])


def test_a_hash_of_its_own_names_no_token_and_breaks_nothing(client: flows.Registered, settings: Any) -> None:
    settings.IDP_OIDC_ADAPTER = "tests.contrib.allauth.adapters.Pairwise"
    token = flows.client_credentials(client)
    Token.objects.all().delete()

    assert not is_dead(token)
    assert flows.view(token).status_code == 401


def test_a_jwt_cannot_be_named_and_dies_where_the_tables_are_asked(client: flows.Registered, settings: Any) -> None:
    """The documentation says so."""
    settings.IDP_OIDC_ACCESS_TOKEN_FORMAT = "jwt"
    token = flows.client_credentials(client)
    flows.revoke(client, token)

    assert not is_dead(token)
    assert flows.view(token).status_code == 401
