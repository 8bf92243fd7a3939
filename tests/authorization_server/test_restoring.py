"""A cache of revocations that has lost its data, and the authorization server that restores it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command

from django_introspection import revocations
from django_introspection.authorization_server import restoring
from django_introspection.authorization_server.restoring import restore_all, restore_if_needed
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.conf import introspection_settings
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.models import Token
from django_introspection.protocol.errors import RevocationsLost
from tests import caches as test_caches
from tests import endpoints, factories

pytestmark = pytest.mark.django_db


class Losing(LocMemCache):
    """A cache that is emptied once, in the middle of a restoration."""

    empties_after = 0

    def set_many(self, data: Any, timeout: Any = None, version: Any = None) -> Any:
        lost = super().set_many(data, timeout, version)
        Losing.empties_after -= 1
        if Losing.empties_after == 0:
            self.clear()
        return lost


@pytest.fixture(autouse=True)
def _tombstones(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}


@pytest.fixture
def revoked() -> list[Token]:
    """Five revoked tokens, beside one that is active, one that has expired and one that refreshes."""
    client = factories.RegistrationFactory().client
    tokens = [factories.TokenFactory(client=client).token for _ in range(5)]
    for token in tokens:
        revoke_token(token, by=None)
    factories.TokenFactory(client=client)
    refreshing = factories.TokenFactory(client=client, refresh=True).token
    Token.objects.filter(grant_id=refreshing.grant_id).update(revoked_at=1)
    Token.objects.filter(pk=refreshing.pk).update(expires_at=1)
    return tokens


def look_again() -> None:
    """Let this process look at the cache once more, although it has just done so."""
    restoring._look_for_markers.reset()
    restore_if_needed()


def judged(tokens: list[Token]) -> list[bool]:
    return [revocations.is_revoked(token.digest) for token in tokens]


def keys_of_tombstones() -> int:
    return len([key for key in test_caches.keys(caches["default"]) if len(key.rpartition(":")[2]) == 64])


def test_without_the_marker_no_token_is_judged() -> None:
    with pytest.raises(RevocationsLost):
        revocations.is_revoked(b"x" * 32)


def test_the_first_token_that_is_issued_sets_the_marker() -> None:
    issued = factories.TokenFactory()

    assert judged([issued.token]) == [False]


def test_a_request_to_an_endpoint_restores_what_was_lost(revoked: list[Token], caplog: Any) -> None:
    test_caches.empty()
    restoring._look_for_markers.reset()

    assert endpoints.introspect("unknown", auth=factories.ResourceServerFactory()).json() == {"active": False}

    assert judged(revoked) == [True] * 5
    assert keys_of_tombstones() == 5
    assert "the cache of revocations is whole again: 5 tombstones were written" in caplog.messages


def test_a_process_looks_once_in_a_while_and_costs_one_call(revoked: list[Token], settings: Any) -> None:
    settings.CACHES = {"default": {**test_caches.counting(), "KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"]}}
    restore_if_needed()
    look_again()
    test_caches.CALLS.clear()

    look_again()
    for _ in range(3):
        restore_if_needed()

    assert test_caches.CALLS == ["get_many"]


def test_one_request_writes_one_slice_and_the_next_ones_go_on(
    revoked: list[Token], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "BATCH", 2)
    monkeypatch.setattr(restoring, "SLICE", 0)
    test_caches.empty()

    seen = []
    for _ in range(4):
        look_again()
        seen.append((keys_of_tombstones(), revocations.whole_since() is not None))

    assert seen == [(2, False), (4, False), (5, False), (5, True)]


def test_tokens_that_expire_in_the_same_second_are_all_written(
    revoked: list[Token], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "BATCH", 2)
    Token.objects.filter(revoked_at__gt=1).update(expires_at=revoked[0].expires_at + timedelta(minutes=1))
    test_caches.empty()

    assert restore_all() == 5
    assert judged(revoked) == [True] * 5


def test_while_another_process_restores_nothing_is_done(revoked: list[Token], monkeypatch: pytest.MonkeyPatch) -> None:
    place = introspection_settings.REVOCATIONS
    assert place is not None
    test_caches.empty()
    with restoring._alone(place):
        look_again()
        assert keys_of_tombstones() == 0

        monkeypatch.setattr(restoring, "LOCK_SECONDS", 0)
        with pytest.raises(IntrospectionUnavailable, match="another process"):
            restore_all()


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_a_cache_that_is_emptied_meanwhile_is_not_called_whole(
    revoked: list[Token], monkeypatch: pytest.MonkeyPatch, settings: Any, after: int
) -> None:
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.Losing", "KEY_PREFIX": "losing"}}
    monkeypatch.setattr(restoring, "BATCH", 2)
    monkeypatch.setattr(Losing, "empties_after", after)

    with pytest.raises(RevocationsLost):
        restore_all()

    assert revocations.whole_since() is None
    look_again()
    assert judged(revoked) == [True] * 5


def test_a_tombstone_that_could_not_be_written_is_written_when_the_cache_is_back(settings: Any) -> None:
    issued, good = factories.TokenFactory(), settings.CACHES
    settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}
    with pytest.raises(IntrospectionUnavailable):
        revoke_token(issued.token, by=None)
    settings.CACHES = good
    revocations.write_failed.set()  # changed settings forget it
    assert judged([issued.token]) == [False], "the marker is still there"

    look_again()

    assert judged([issued.token]) == [True]
    assert not revocations.write_failed.is_set()


def test_evicted_tombstones_are_noticed_by_a_sample(revoked: list[Token], caplog: Any) -> None:
    restore_all()
    restoring._look_for_evictions.reset()
    place = introspection_settings.REVOCATIONS
    assert place is not None
    caches["default"].delete_many(revocations.tombstone_key(token.digest, place) for token in revoked)
    assert judged(revoked) == [False] * 5

    look_again()

    assert judged(revoked) == [True] * 5
    assert [line for line in caplog.messages if "has evicted tombstones" in line]


def test_each_of_two_authorization_servers_restores_its_own(revoked: list[Token], settings: Any) -> None:
    test_caches.empty()
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "ISSUER": "https://other.example"}
    revocations.set_markers()
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "ISSUER": "https://auth.example.com"}
    assert judged(revoked) == [False] * 5

    look_again()

    assert judged(revoked) == [True] * 5


@pytest.mark.parametrize("problem", ["cache", "settings"])
def test_looking_raises_nothing(problem: str, settings: Any) -> None:
    if problem == "cache":
        settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}
    else:
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": "default"}

    look_again()


def test_the_command_restores_and_says_how_many(revoked: list[Token], capsys: Any) -> None:
    test_caches.empty()

    call_command("introspection_token", "restore-tombstones")

    assert capsys.readouterr().out == "Tombstones: 5\nCut-offs: 0\n"
    assert judged(revoked) == [True] * 5
