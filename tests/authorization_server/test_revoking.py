"""Ending tokens, and the tombstones that tell it to whoever caches answers."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.db import transaction

from django_introspection import cache_calls, revocations, signals
from django_introspection.authorization_server import revoking
from django_introspection.authorization_server.revoking import (
    revoke_client_tokens,
    revoke_grant,
    revoke_token,
    revoke_user_tokens,
)
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.models import GrantType, Token, TokenKind
from tests import endpoints, factories
from tests.authorization_server.helpers import assert_refused

START = datetime(2026, 5, 1, tzinfo=UTC)
PREFIX = "tests:revoked:"


class Forgetful(LocMemCache):
    """A cache that loses what it should keep and says so, as memcached does."""

    def set_many(self, data: Any, timeout: Any = None, version: Any = None) -> list[Any]:
        return list(data)


@pytest.fixture
def tombstones(settings: Any) -> Any:
    """Write tombstones into a cache of the suite, or into another one."""

    own = settings.CACHES["default"]

    def use(**cache: Any) -> None:
        settings.CACHES = {"default": own, "revocations": cache or own}
        place = {"ALIAS": "revocations", "PREFIX": PREFIX}
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": place}

    yield use
    settings.CACHES = {"default": own}


@pytest.fixture
def blocked(tombstones: Any, tmp_path: Path) -> Any:
    """A cache that cannot be written until `blocked` is unlinked: its directory is a file."""
    path = tmp_path / "cache"
    path.touch()
    tombstones(BACKEND="django.core.cache.backends.filebased.FileBasedCache", LOCATION=str(path))
    return path


@pytest.fixture
def told() -> Any:
    """The tokens of each signal `token_revoked`."""
    calls: list[list[Any]] = []

    def receiver(tokens: list[Any], **_: Any) -> None:
        calls.append(tokens)

    signals.token_revoked.connect(receiver)
    yield calls
    signals.token_revoked.disconnect(receiver)


def identity(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()


def is_revoked(value: str) -> bool:
    return revocations.is_revoked(identity(value))


def revoke(value: str, auth: Any) -> Any:
    return endpoints.post("/oauth/revoke", {"token": value}, auth=auth)


def live() -> int:
    return Token.objects.filter(revoked_at=None).count()


def test_each_function_ends_what_it_names_and_nothing_else(db: None) -> None:
    user, client = factories.UserFactory(), factories.RegistrationFactory().client
    one, two = (factories.TokenFactory(client=client, user=user, refresh=True) for _ in range(2))
    of_user, of_client = factories.TokenFactory(user=user), factories.TokenFactory(client=client)
    factories.TokenFactory(user=factories.UserFactory(), refresh=True)

    assert (live(), revoke_token(one.token, by=None), live()) == (8, 1, 7)
    assert (revoke_token(Token.objects.get(kind="refresh", grant_id=one.token.grant_id), by=None), live()) == (1, 6)
    assert (revoke_grant(two.token.grant_id, by=None), live()) == (2, 4)
    assert (revoke_client_tokens(client, by=None), live()) == (1, 3)
    assert (revoke_user_tokens(user, by=None), live()) == (1, 2)
    assert Token.objects.filter(pk__in=[of_user.token.pk, of_client.token.pk], revoked_at=None).count() == 0


def test_many_tokens_are_ended_in_batches_with_one_signal_each(
    db: None, monkeypatch: pytest.MonkeyPatch, told: Any
) -> None:
    monkeypatch.setattr(revoking, "BATCH", 2)
    client = factories.RegistrationFactory().client
    tokens = {factories.TokenFactory(client=client).token.pk for _ in range(5)}

    assert revoke_client_tokens(client, by=None) == 5

    assert [len(batch) for batch in told] == [2, 2, 1]
    assert {pk for batch in told for pk in batch} == tokens
    assert live() == 0


def test_revoking_again_ends_nothing_and_tells_nothing(db: None, told: Any) -> None:
    issued = factories.TokenFactory(refresh=True)
    revoke_grant(issued.token.grant_id, by=None)
    told.clear()

    assert revoke_grant(issued.token.grant_id, by=None) == 0
    assert told == []


@pytest.mark.requirement("7009-2.1-e")
@pytest.mark.django_db(transaction=True)
def test_a_revoked_access_token_gets_a_tombstone_by_its_digest_and_others_get_none(tombstones: Any) -> None:
    tombstones()
    machine = factories.RegistrationFactory()
    issued, other = (factories.TokenFactory(client=machine.client, refresh=True) for _ in range(2))

    assert revoke(issued.access_token, machine).status_code == 200

    assert is_revoked(issued.access_token)
    assert not is_revoked(issued.refresh_token)
    assert not is_revoked(other.access_token)
    assert caches["revocations"].get(PREFIX + identity(issued.access_token).hex()) is not None


@pytest.mark.requirement("7009-2.1-f")
@pytest.mark.django_db(transaction=True)
def test_a_grant_leaves_tombstones_of_its_access_tokens_that_are_not_expired(tombstones: Any) -> None:
    tombstones()
    holder = factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN])
    issued = factories.TokenFactory(client=holder.client, refresh=True)
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    second = endpoints.post("/oauth/token", form, auth=holder).json()
    Token.objects.filter(pk=issued.token.pk).update(expires_at=1)

    assert revoke(second["refresh_token"], holder).status_code == 200

    values = (issued.access_token, second["access_token"], issued.refresh_token, second["refresh_token"])
    assert [is_revoked(value) for value in values] == [False, True, False, False]


@pytest.mark.django_db(transaction=True)
def test_the_end_of_a_grant_by_reuse_leaves_tombstones(tombstones: Any) -> None:
    tombstones()
    holder = factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN])
    issued = factories.TokenFactory(client=holder.client, refresh=True)
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    second = endpoints.post("/oauth/token", form, auth=holder).json()

    assert_refused(endpoints.post("/oauth/token", form, auth=holder), 400, "invalid_grant")

    assert [is_revoked(value) for value in (issued.access_token, second["access_token"])] == [True, True]


def test_a_tombstone_lives_as_long_as_anybody_may_take_its_token(
    db: None, tombstones: Any, settings: Any, time_machine: Any
) -> None:
    tombstones(BACKEND="django.core.cache.backends.locmem.LocMemCache")
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "LEEWAY": 10}
    time_machine.move_to(START, tick=False)
    issued = factories.TokenFactory(lifetime=timedelta(seconds=100))
    revoke_token(issued.token, by=None)

    seen = []
    for shift in (0, 109, 2):
        time_machine.shift(shift)
        seen.append(is_revoked(issued.access_token))

    assert seen == [True, True, False]


def test_tombstones_that_are_written_together_live_as_long_as_the_last_of_their_tokens(
    db: None, tombstones: Any, time_machine: Any
) -> None:
    tombstones(BACKEND="django.core.cache.backends.locmem.LocMemCache")
    time_machine.move_to(START, tick=False)
    client = factories.RegistrationFactory().client
    issued = [factories.TokenFactory(client=client, lifetime=timedelta(seconds=each)) for each in (1000, 10, 500)]
    revoke_client_tokens(client, by=None)

    time_machine.shift(999)

    assert is_revoked(issued[0].access_token)


@pytest.mark.django_db(transaction=True)
def test_the_tombstone_is_written_before_the_commit_and_again_after_it(tombstones: Any) -> None:
    tombstones()
    issued = factories.TokenFactory()

    with transaction.atomic():
        revoke_token(issued.token, by=None)
        before = is_revoked(issued.access_token)
        caches["revocations"].delete(PREFIX + identity(issued.access_token).hex())

    assert (before, is_revoked(issued.access_token)) == (True, True)


@pytest.mark.requirement("7009-2.2.1-b")
@pytest.mark.django_db(transaction=True)
def test_revocation_without_the_cache_is_503_until_a_retry_succeeds(
    blocked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_calls, "PAUSE", 0)
    machine = factories.RegistrationFactory()
    issued = factories.TokenFactory(client=machine.client)

    response = revoke(issued.access_token, machine)

    assert_refused(response, 503, "temporarily_unavailable", issued.access_token, str(blocked))
    assert int(response["Retry-After"]) > 0
    assert live() == 0
    assert_refused(revoke(issued.access_token, machine), 503, "temporarily_unavailable")
    blocked.unlink()
    assert revoke(issued.access_token, machine).status_code == 200
    assert is_revoked(issued.access_token)


@pytest.mark.django_db(transaction=True)
def test_without_the_cache_every_batch_is_revoked(blocked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revoking, "BATCH", 2)
    client = factories.RegistrationFactory().client
    for _ in range(5):
        factories.TokenFactory(client=client)

    with pytest.raises(IntrospectionUnavailable):
        revoke_client_tokens(client, by=None)

    assert live() == 0


@pytest.mark.django_db(transaction=True)
def test_without_the_cache_reuse_still_ends_the_grant_and_is_told(blocked: Path) -> None:
    told = []

    def receiver(grant_id: Any, **_: Any) -> None:
        told.append(grant_id)

    holder = factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN])
    issued = factories.TokenFactory(client=holder.client, refresh=True)
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    assert endpoints.post("/oauth/token", form, auth=holder).status_code == 200
    signals.refresh_token_reused.connect(receiver)
    try:
        response = endpoints.post("/oauth/token", form, auth=holder)
    finally:
        signals.refresh_token_reused.disconnect(receiver)

    assert_refused(response, 503, "temporarily_unavailable", issued.refresh_token)
    assert live() == 0
    assert told == [issued.token.grant_id]


def test_a_cache_that_says_it_lost_the_tombstone_is_one_that_cannot_be_written(db: None, tombstones: Any) -> None:
    tombstones(BACKEND=f"{__name__}.Forgetful")
    issued = factories.TokenFactory()

    with pytest.raises(IntrospectionUnavailable):
        revoke_token(issued.token, by=None)

    assert live() == 0


def test_refresh_tokens_and_expired_tokens_need_no_cache(db: None, blocked: Path) -> None:
    issued = factories.TokenFactory(refresh=True)
    Token.objects.filter(pk=issued.token.pk).update(expires_at=1)
    refresh_token = Token.objects.get(kind=TokenKind.REFRESH)

    assert revoke_token(refresh_token, by=None) == 2


def test_whether_a_token_has_a_tombstone_cannot_be_read_from_a_cache_that_fails(blocked: Path) -> None:
    with pytest.raises(IntrospectionUnavailable) as raised:
        is_revoked("x")

    assert raised.value.__cause__ is None


@pytest.mark.django_db(transaction=True)
def test_what_the_cache_said_is_neither_logged_nor_shown(blocked: Path, caplog: pytest.LogCaptureFixture) -> None:
    machine = factories.RegistrationFactory()
    issued = factories.TokenFactory(client=machine.client)

    revoke(issued.access_token, machine)

    assert "the cache of revocations does not answer" in caplog.text
    assert not [text for text in (str(blocked), PREFIX, issued.access_token) if text in caplog.text]


def test_without_the_setting_no_cache_is_touched(db: None, blocked: Path, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": None}
    issued = factories.TokenFactory()

    assert revoke_token(issued.token, by=None) == 1
    assert not is_revoked(issued.access_token)
