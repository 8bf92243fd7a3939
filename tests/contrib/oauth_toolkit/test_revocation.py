"""What django-oauth-toolkit revokes is revoked wherever answers are cached."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from oauth2_provider.admin import AccessTokenAdmin
from oauth2_provider.models import get_access_token_model, get_application_model, get_refresh_token_model

from django_introspection import revocations
from django_introspection.authorization_server import restoring
from django_introspection.authorization_server.restoring import restore_all
from django_introspection.contrib.oauth_toolkit import write_tombstones
from django_introspection.protocol.errors import IntrospectionUnavailable
from django_introspection.protocol.jwt import token_identity
from tests import caches as test_caches

from . import flows

AccessToken = get_access_token_model()
Broken = {"BACKEND": "tests.authorization_server.test_throttles.BrokenCache"}


@pytest.fixture(autouse=True)
def _tombstones(configured: Any, db: None) -> None:
    configured(REVOCATIONS={"ALIAS": "default"})
    restore_all()


@pytest.fixture
def user() -> Any:
    return flows.new_user()


@pytest.fixture
def application() -> flows.Application:
    return flows.code_application()


@pytest.fixture
def tokens(db: None, application: flows.Application, user: Any) -> dict[str, Any]:
    return flows.authorization_code(application, user)


def is_dead(token: str) -> bool:
    return revocations.is_revoked(token_identity(token))


def the_row() -> Any:
    return AccessToken.objects.get()


def by_their_admin(tokens: dict[str, Any]) -> None:
    staff = flows.new_user(is_staff=True, is_superuser=True)
    browser = Browser()
    browser.force_login(staff)
    has_action = "revoke_tokens" in (AccessTokenAdmin.actions or ())  # before 3.4.1 its admin deletes
    form = {
        "action": "revoke_tokens" if has_action else "delete_selected",
        "_selected_action": [the_row().pk],
        "post": "yes",
    }
    assert browser.post(f"/admin/{AccessToken._meta.label_lower.replace('.', '/')}/", form).status_code == 302


def by_their_page_for_people(tokens: dict[str, Any]) -> None:
    browser = Browser()
    browser.force_login(the_row().user)
    address = reverse("oauth2_provider:authorized-token-delete", args=[the_row().pk])
    assert browser.post(address).status_code == 302


WAYS = {
    "its endpoint, the access token": lambda application, tokens: flows.revoke(application, tokens["access_token"]),
    "its endpoint, the refresh token": lambda application, tokens: flows.revoke(application, tokens["refresh_token"]),
    "AccessToken.revoke": lambda application, tokens: the_row().revoke(),
    "RefreshToken.revoke": lambda application, tokens: get_refresh_token_model().objects.get().revoke(),
    "rotation": lambda application, tokens: flows.refresh(application, tokens["refresh_token"]),
    "its admin": lambda application, tokens: by_their_admin(tokens),
    "its page for people": lambda application, tokens: by_their_page_for_people(tokens),
    "QuerySet.delete": lambda application, tokens: AccessToken.objects.all().delete(),
    "the user is deleted": lambda application, tokens: get_user_model().objects.all().delete(),
    "the application is deleted": lambda application, tokens: get_application_model().objects.all().delete(),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", WAYS)
def test_the_tombstone_is_written_whatever_the_way(
    way: str, application: flows.Application, tokens: dict[str, Any]
) -> None:
    assert not is_dead(tokens["access_token"])

    WAYS[way](application, tokens)

    assert is_dead(tokens["access_token"])
    assert flows.view(tokens["access_token"]).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_the_value_that_a_refresh_without_rotation_replaces_is_dead(
    application: flows.Application, tokens: dict[str, Any], settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, "ROTATE_REFRESH_TOKEN": False}
    fresh = flows.refresh(application, tokens["refresh_token"])

    assert is_dead(tokens["access_token"])
    assert not is_dead(fresh["access_token"])
    assert AccessToken.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_token_that_is_made_to_expire_is_dead(tokens: dict[str, Any]) -> None:
    row = the_row()
    row.expires = timezone.now()
    row.save()

    assert is_dead(tokens["access_token"])


@pytest.mark.django_db(transaction=True)
def test_other_changes_of_a_row_leave_the_token_alone(tokens: dict[str, Any]) -> None:
    row = the_row()
    row.scope = "orders:write"
    row.save()
    AccessToken.objects.only("pk").get().save(update_fields=["scope"])

    assert not is_dead(tokens["access_token"])


@pytest.mark.django_db(transaction=True)
def test_cleaning_up_writes_nothing_for_what_has_expired(tokens: dict[str, Any]) -> None:
    get_refresh_token_model().objects.all().delete()
    AccessToken.objects.update(expires=timezone.now() - timedelta(days=1))
    call_command("cleartokens", stdout=StringIO())

    assert not AccessToken.objects.exists()
    assert not is_dead(tokens["access_token"])


@pytest.mark.django_db(transaction=True)
def test_a_bulk_update_is_not_seen_and_can_be_told(tokens: dict[str, Any]) -> None:
    rows = list(AccessToken.objects.all())
    AccessToken.objects.update(expires=timezone.now())
    assert not is_dead(tokens["access_token"])

    write_tombstones(rows)

    assert is_dead(tokens["access_token"])


@pytest.mark.django_db(transaction=True)
def test_a_tombstone_that_the_cache_lost_before_the_commit_is_written_again(tokens: dict[str, Any]) -> None:
    with transaction.atomic():
        the_row().revoke()
        assert is_dead(tokens["access_token"])
        test_caches.empty()

    assert is_dead(tokens["access_token"])


@pytest.mark.django_db(transaction=True)
def test_the_revocation_stands_while_the_cache_does_not_answer(
    tokens: dict[str, Any], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CACHES = {**settings.CACHES, "default": Broken}
    the_row().revoke()

    assert not AccessToken.objects.exists()
    assert "a revoked token stays in the caches that hold it, until they ask again" in caplog.messages
    assert tokens["access_token"] not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_without_revocations_nothing_is_written(tokens: dict[str, Any], configured: Any) -> None:
    configured(REVOCATIONS=None)
    the_row().revoke()
    configured(REVOCATIONS={"ALIAS": "default"})

    assert not is_dead(tokens["access_token"])


@pytest.mark.django_db(transaction=True)
def test_a_jwt_is_dead_in_every_spelling_of_its_signature() -> None:
    token = "header.claims.signature"
    row = AccessToken.objects.create(token=token, expires=timezone.now() + timedelta(hours=1))
    row.revoke()

    assert is_dead(token)
    assert is_dead(f"{token}x")


def test_telling_says_when_the_cache_does_not_answer(tokens: dict[str, Any], settings: Any) -> None:
    settings.CACHES = {**settings.CACHES, "default": Broken}

    with pytest.raises(IntrospectionUnavailable):
        write_tombstones(AccessToken.objects.all())


@pytest.mark.django_db(transaction=True)
def test_a_revocation_sets_the_marker_that_resource_servers_require(tokens: dict[str, Any]) -> None:
    revocations.remove_markers()
    restoring._look_for_markers.reset()

    the_row().revoke()

    assert revocations.whole_since() is not None
