"""Transactions that commit in another order than they wrote: no reader misses one."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from django.db import connection, transaction

from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Client, Token
from django_introspection.revocation_feed import positions
from django_introspection.revocation_feed.models import Ending, Feed
from tests import factories
from tests.authorization_server.racing import in_threads

from .reader import Reader, identity

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("_recording"),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one transaction write at a time"),
]


@pytest.fixture
def reader(resource_server: Any) -> Reader:
    reader = Reader(resource_server)
    reader.read()
    return reader


def tokens(number: int) -> list[Token]:
    return [factories.TokenFactory().token for _ in range(number)]


def test_a_row_that_is_committed_after_later_rows_were_read_is_heard(reader: Reader) -> None:
    early, late = tokens(2)
    has_written, may_commit = threading.Event(), threading.Event()

    def write_first_and_commit_last() -> None:
        with transaction.atomic():
            revoke_token(early, by=None)
            has_written.set()
            assert may_commit.wait(20)

    def commit_first() -> None:
        try:
            assert has_written.wait(20)
            revoke_token(late, by=None)
            assert reader.read() == {identity(late)}
        finally:
            may_commit.set()

    in_threads([write_first_and_commit_last, commit_first])

    first, second = Ending.objects.order_by("pk")
    assert bytes(first.digest) == early.digest  # by their keys, the one that was read last is the first
    assert reader.read() == {identity(early), identity(late)}
    assert second.position is not None


def test_a_row_that_is_rolled_back_holds_up_nothing(reader: Reader) -> None:
    gone, kept = tokens(2)
    with transaction.atomic():
        revoke_token(gone, by=None)
        transaction.set_rollback(True)
    revoke_token(kept, by=None)

    assert reader.read() == {identity(kept)}


def test_a_disabled_client_waits_for_its_own_commit_alone(reader: Reader) -> None:
    """A long transaction of another connection delays no row but its own."""
    (token,) = tokens(1)
    has_begun, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Client.objects.filter(pk=factories.RegistrationFactory().client.pk).update(client_name="another")
            has_begun.set()
            assert may_end.wait(20)

    def revoke() -> None:
        try:
            assert has_begun.wait(20)
            revoke_token(token, by=None)
            assert reader.read() == {identity(token)}
        finally:
            may_end.set()

    in_threads([hold, revoke])


def test_many_transactions_in_any_order_are_each_heard_once(reader: Reader) -> None:
    ending, held = tokens(40), threading.Semaphore(0)
    chance = random.Random(7)  # noqa: S311 - no secret
    shares = [ending[number::4] for number in range(4)]
    held_for = {token.pk: chance.randrange(3) for token in ending}
    is_over = threading.Event()

    def end(share: list[Token]) -> None:
        for token in share:
            with transaction.atomic():
                revoke_token(token, by=None)
                for _ in range(held_for[token.pk]):
                    held.acquire(timeout=0.05)  # let the reader and the others go on for a while
            held.release()

    def end_all() -> None:
        try:
            in_threads([lambda share=share: end(share) for share in shares])  # type: ignore[misc]  # a default
        finally:
            is_over.set()

    def read_on() -> None:
        while not is_over.is_set():
            reader.read()

    in_threads([end_all, read_on])
    reader.read()

    assert [each for each, _ in reader.heard] == list(dict.fromkeys(each for each, _ in reader.heard))
    assert reader.ended == set(map(identity, ending))


def test_positions_are_given_once_by_many_at_once() -> None:
    for token in tokens(10):
        revoke_token(token, by=None)
    seen: list[Feed] = []

    in_threads([lambda: seen.append(positions.give("default"))] * 4)

    assert not Ending.objects.filter(position=None).exists()
    assert {feed.position for feed in seen} == {Ending.objects.latest("position").position}
