"""Every way in which a token ends reaches the feed, and so does the return of one that was only disabled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from django_introspection.authorization_server import ending
from django_introspection.authorization_server.restoring import restore_all
from django_introspection.authorization_server.revoking import (
    revoke_client_tokens,
    revoke_grant,
    revoke_token,
    revoke_user_tokens,
)
from django_introspection.models import Client, Token
from django_introspection.models.fields import now
from django_introspection.revocation_feed import recording
from django_introspection.revocation_feed.models import Ending
from tests import endpoints, factories, jose

from .reader import Reader, identity

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_recording")]


@pytest.fixture
def reader(resource_server: Any) -> Reader:
    """A reader that has begun, so that it hears of changes alone."""
    reader = Reader(resource_server)
    reader.read()
    return reader


@pytest.fixture
def issued(user: Any) -> Any:
    return factories.TokenFactory(user=user, refresh=True)


def disable(holder: Any) -> None:
    holder.is_active = False
    holder.save()


def enable(holder: Any) -> None:
    holder.is_active = True
    holder.save()


WAYS: dict[str, Callable[[Token], Any]] = {
    "token": lambda token: revoke_token(token, by=None),
    "grant": lambda token: revoke_grant(token.grant_id, by=None),
    "client's tokens": lambda token: revoke_client_tokens(token.client, by=None),
    "user's tokens": lambda token: revoke_user_tokens(token.user, by=None),
    "row deleted": lambda token: token.delete(),
    "rows deleted": lambda token: Token.objects.filter(grant_id=token.grant_id).delete(),
    "client deleted": lambda token: token.client.delete(),
    "clients deleted": lambda token: Client.objects.filter(pk=token.client.pk).delete(),
    "user deleted": lambda token: token.user.delete(),
    "client disabled": lambda token: disable(token.client),
    "user disabled": lambda token: disable(token.user),
}


@pytest.mark.parametrize("end", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("has_cache", [False, True], ids=["without tombstones", "with tombstones"])
def test_every_way_of_ending_reaches_the_feed(
    end: Callable[[Token], Any],
    has_cache: bool,
    reader: Reader,
    issued: Any,
    settings: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:
    if has_cache:
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    wanted = identity(issued.token)
    with django_capture_on_commit_callbacks(execute=True):
        end(issued.token)

    assert wanted in reader.read()
    assert [is_end for each, is_end in reader.heard if each == wanted] == [True]


def test_a_new_password_ends_tokens(reader: Reader, issued: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOKE_ON_PASSWORD_CHANGE": True}
    issued.token.user.set_password("another")
    issued.token.user.save()

    assert reader.read() == {identity(issued.token)}


def test_the_second_use_of_a_refresh_token_ends_its_grant(reader: Reader, user: Any) -> None:
    registration = factories.RegistrationFactory(grant_types=["client_credentials", "refresh_token"])
    issued = factories.TokenFactory(client=registration.client, user=user, refresh=True)
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    assert endpoints.post("/oauth/token", form, auth=registration).status_code == 200
    assert endpoints.post("/oauth/token", form, auth=registration).status_code == 400

    granted = Token.objects.filter(grant_id=issued.token.grant_id, kind="access")
    assert reader.read() == set(map(identity, granted))


def test_the_revocation_endpoint_reaches_the_feed(reader: Reader) -> None:
    registration = factories.RegistrationFactory()
    issued = factories.TokenFactory(client=registration.client)

    endpoints.post("/oauth/revoke", {"token": issued.access_token}, auth=registration)

    assert reader.read() == {identity(issued.token)}


@pytest.mark.parametrize("holder", ["client", "user"])
def test_a_token_whose_holder_is_enabled_again_returns(
    holder: str, reader: Reader, issued: Any, django_capture_on_commit_callbacks: Any
) -> None:
    for change in (disable, enable):
        with django_capture_on_commit_callbacks(execute=True):
            change(getattr(issued.token, holder))
        reader.read()

    assert reader.heard == [(identity(issued.token), True), (identity(issued.token), False)]


def test_a_token_whose_holder_is_disabled_a_second_time_ends_again(
    reader: Reader, issued: Any, django_capture_on_commit_callbacks: Any
) -> None:
    for change in (disable, enable, disable):
        with django_capture_on_commit_callbacks(execute=True):
            change(issued.token.client)
        reader.read()

    assert reader.heard == [(identity(issued.token), has_ended) for has_ended in (True, False, True)]


def test_a_token_that_was_revoked_meanwhile_does_not_return(
    reader: Reader, issued: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        disable(issued.token.client)
    with django_capture_on_commit_callbacks(execute=True):
        enable(issued.token.client)
    revoke_token(issued.token, by=None)  # the reader reads both changes together
    Ending.objects.filter(is_return=True).update(id=Ending.objects.latest("pk").pk + 1)  # in whatever order

    assert reader.read() == {identity(issued.token)}


def test_a_token_that_never_ended_does_not_return(
    reader: Reader, issued: Any, django_capture_on_commit_callbacks: Any
) -> None:
    Client.objects.filter(pk=issued.token.client.pk).update(is_active=False)
    issued.token.client.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        enable(issued.token.client)

    assert not Ending.objects.exists()


@pytest.mark.parametrize("field", ["client", "user"])
def test_a_holder_is_recorded_before_it_is_disabled(
    field: str, reader: Reader, issued: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies right after the save has recorded the tokens."""
    monkeypatch.setattr(ending, "_follow_state_later", lambda *_: None)

    disable(getattr(issued.token, field))

    assert reader.read() == {identity(issued.token)}


@pytest.mark.parametrize("holder", ["client", "user"])
def test_a_jwt_that_is_made_while_its_holder_is_disabled_is_recorded(
    holder: str, reader: Reader, user: Any, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    keys = [{"KEY": jose.private("ES256", "server")}]
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "SIGNING_KEYS": keys}
    client = factories.RegistrationFactory(access_token_format="jwt").client
    type(user).objects.filter(pk=user.pk if holder == "user" else None).update(is_active=False)
    Client.objects.filter(pk=client.pk if holder == "client" else None).update(is_active=False)

    with django_capture_on_commit_callbacks(execute=True):
        issued = factories.TokenFactory(client=client, user=user)

    assert reader.read() == {identity(issued.token)}


def test_a_holder_that_was_disabled_by_update_is_recorded_by_the_command(reader: Reader, issued: Any) -> None:
    Client.objects.filter(pk=issued.token.client.pk).update(is_active=False)
    assert reader.read() == set()

    restore_all()
    restore_all()

    assert reader.read() == {identity(issued.token)}
    assert Ending.objects.count() == 1


def test_a_revocation_that_is_rolled_back_is_not_heard(reader: Reader, issued: Any) -> None:
    with transaction.atomic():
        revoke_token(issued.token, by=None)
        transaction.set_rollback(True)

    assert reader.read() == set()


@pytest.mark.django_db(transaction=True)
def test_a_token_stays_active_if_its_end_cannot_be_recorded(issued: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(recording, "_write", fail)
    with pytest.raises(DatabaseError):
        revoke_token(issued.token, by=None)

    issued.token.refresh_from_db()
    assert issued.token.revoked_at is None


def test_expired_and_refresh_tokens_are_not_recorded(issued: Any) -> None:
    Token.objects.filter(pk=issued.token.pk).update(expires_at=now())

    revoke_grant(issued.token.grant_id, by=None)

    assert not Ending.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nobody_is_woken_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that reads before sees nothing, and is not woken again."""
    told: list[str] = []
    monkeypatch.setattr(recording.channel, "alias_for", lambda using: "default")
    monkeypatch.setattr(recording.channel, "publish", told.append)
    monkeypatch.setattr(recording.news, "arrived", lambda: told.append("this process"))
    token = factories.TokenFactory().token
    with transaction.atomic():
        revoke_token(token, by=None)
        assert told == []

    assert sorted(told) == ["default", "this process"]
