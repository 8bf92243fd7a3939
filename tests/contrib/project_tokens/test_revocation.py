"""Every way in which a package reports the end of a token reaches the caches that hold answers about it."""

from __future__ import annotations

import hashlib
import importlib
import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.db import transaction
from django.utils import timezone
from rest_framework_api_key.models import APIKeyManager

from django_introspection import introspect, revocations, token_backends
from django_introspection.authorization_server.restoring import restore_all
from django_introspection.contrib import api_keys, seen_tokens
from django_introspection.exceptions import IntrospectionUnavailable
from tests import caches as test_caches

from .kinds import API_KEYS, AUTHTOKEN, KINDS, KNOX, WAYS, Kind

BROKEN = {"BACKEND": "tests.authorization_server.test_throttles.BrokenCache"}
each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


@pytest.fixture(autouse=True)
def _tombstones(configured: Any, db: None) -> None:
    configured(REVOCATIONS={"ALIAS": "default"})
    restore_all()


def is_dead(token: str) -> bool:
    return revocations.is_revoked(hashlib.sha256(token.encode()).digest())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("kind", "way"), WAYS, ids=str)
def test_the_tombstone_is_written_whatever_the_way(kind: Kind, way: str, ada: Any) -> None:
    token = kind.make(ada)
    assert introspect(token, using=kind.alias)
    assert not is_dead(token)

    kind.ways[way](kind.row)

    assert is_dead(token)
    assert introspect(token, using=kind.alias) is None


@pytest.mark.django_db(transaction=True)
def test_the_tombstone_of_a_row_that_was_never_read_is_written() -> None:
    row, key = API_KEYS.model.objects.create_key(name="Batch")
    assert introspect(key, using="api_keys")

    row.revoked = True
    row.save()

    assert is_dead(key)


@each_kind
def test_the_tombstone_is_written_before_the_commit_and_again_after_it(
    kind: Kind, ada: Any, django_capture_on_commit_callbacks: Any
) -> None:
    token = kind.make(ada)
    assert introspect(token, using=kind.alias)
    with django_capture_on_commit_callbacks(execute=True):
        kind.row.delete()
        assert is_dead(token)
        test_caches.empty()
    restore_all()

    assert is_dead(token)


@pytest.mark.parametrize("kind", [KNOX, API_KEYS], ids=str)
def test_an_answer_that_is_given_while_a_token_ends_leaves_a_tombstone(
    kind: Kind, ada: Any, django_capture_on_commit_callbacks: Any
) -> None:
    """Another process answers between the deletion and its commit, for the first time about this token."""
    token = kind.make(ada)
    row = kind.row
    with django_capture_on_commit_callbacks(execute=True):
        with transaction.atomic():
            row.delete()
            assert not is_dead(token)
        module = importlib.import_module(f"django_introspection.contrib.{kind.alias}")
        name = row.prefix if kind is API_KEYS else hashlib.sha512(token.encode()).hexdigest()
        assert module.remember(module.KIND, name, token, timezone.now() + timedelta(hours=1))

    assert is_dead(token)


@pytest.mark.parametrize("kind", [KNOX, API_KEYS], ids=str)
def test_a_token_that_ends_before_its_identity_is_noted_is_not_answered(
    kind: Kind, ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = kind.make(ada)
    module = importlib.import_module(f"django_introspection.contrib.{kind.alias}")
    remember = module.remember

    def delete_first(*arguments: Any) -> bool:
        kind.model.objects.all().delete()
        return bool(remember(*arguments))

    monkeypatch.setattr(module, "remember", delete_first)

    assert introspect(token, using=kind.alias) is None


def test_a_rule_of_the_project_that_ends_an_api_key_before_its_identity_is_noted_decides(
    ada: Any, configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(APIKeyManager, "is_valid", lambda _, key: key not in closed)
    key, other = API_KEYS.make(ada), API_KEYS.model.objects.create_key(name="other")[1]
    remember = api_keys.remember

    def close_first(kind: str, name: str, token: str, until: datetime) -> bool:
        if token == key:
            closed.append(key)
        return remember(kind, name, token, until)

    monkeypatch.setattr(api_keys, "remember", close_first)
    configured()  # the backend is made anew, and finds the rule

    assert introspect(key, using="api_keys") is None
    assert introspect(other, using="api_keys")


@pytest.mark.parametrize("kind", [KNOX, API_KEYS], ids=str)
def test_if_the_identity_cannot_be_noted_the_token_is_not_answered(kind: Kind, ada: Any, settings: Any) -> None:
    token = kind.make(ada)
    settings.CACHES = {**settings.CACHES, "default": BROKEN}

    with pytest.raises(IntrospectionUnavailable):
        token_backends[kind.alias].introspect(token)


@each_kind
def test_without_the_cache_the_end_stands_and_the_log_reports_it(
    kind: Kind, ada: Any, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    token = kind.make(ada)
    assert introspect(token, using=kind.alias)
    row = kind.row
    settings.CACHES = {**settings.CACHES, "default": BROKEN}

    with caplog.at_level(logging.ERROR):
        row.delete()

    assert kind.model.objects.count() == 0
    assert "a revoked token stays in the caches" in caplog.text
    assert revocations.write_failed.is_set()
    assert token not in caplog.text


@each_kind
def test_endings_without_a_signal_are_written_by_hand(kind: Kind, ada: Any) -> None:
    token = kind.make(ada)
    assert introspect(token, using=kind.alias)
    rows = list(kind.model.objects.all())
    kind.model.objects.all()._raw_delete("default")
    assert not is_dead(token)

    importlib.import_module(f"django_introspection.contrib.{kind.alias}").write_tombstones(rows)

    assert is_dead(token)


def test_a_revoked_api_key_can_be_written_by_hand(ada: Any) -> None:
    key = API_KEYS.make(ada)
    assert introspect(key, using="api_keys")
    API_KEYS.model.objects.update(revoked=True)

    importlib.import_module("django_introspection.contrib.api_keys").write_tombstones(API_KEYS.model.objects.all())

    assert is_dead(key)


@pytest.mark.parametrize("found", [7, "no digest"])
def test_a_note_of_another_program_is_no_identity(found: Any, ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    token = KNOX.make(ada)
    assert introspect(token, using="knox")
    monkeypatch.setattr(seen_tokens, "_key", lambda *arguments: "tests:another-program")
    caches["default"].set("tests:another-program", found)

    KNOX.row.delete()

    assert KNOX.model.objects.count() == 0
    assert not is_dead(token)


def test_a_token_that_was_never_asked_about_needs_no_tombstone(ada: Any) -> None:
    token = KNOX.make(ada)

    KNOX.row.delete()

    assert not is_dead(token)


@each_kind
def test_a_row_that_is_saved_unchanged_stays_valid(kind: Kind, ada: Any) -> None:
    token = kind.make(ada)
    assert introspect(token, using=kind.alias)

    kind.row.save()

    assert not is_dead(token)


@each_kind
def test_without_the_setting_no_cache_is_touched(kind: Kind, ada: Any, configured: Any, settings: Any) -> None:
    configured(REVOCATIONS=None)
    settings.CACHES = {**settings.CACHES, "default": BROKEN}
    token = kind.make(ada)

    assert introspect(token, using=kind.alias)
    kind.row.delete()
    assert introspect(token, using=kind.alias) is None


def test_authtoken_has_no_note_of_identities(ada: Any, settings: Any) -> None:
    token = AUTHTOKEN.make(ada)
    settings.CACHES = {**settings.CACHES, "default": BROKEN}

    assert introspect(token, using="authtoken")
