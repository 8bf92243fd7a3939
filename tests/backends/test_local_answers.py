"""Answers that a process keeps by itself."""

from __future__ import annotations

import hashlib
import time

import pytest
import time_machine

from django_introspection.backends.entry import Kept
from django_introspection.backends.local_answers import LocalAnswers, slot_of
from django_introspection.protocol.answer import Active, Answer, Inactive, Reason
from django_introspection.protocol.token_info import TokenInfo

TOKEN = hashlib.sha256(b"a token").digest()
ACTIVE, INACTIVE = Active(TokenInfo({"active": True})), Inactive(Reason.INACTIVE)


def of_the_same_slot() -> bytes:
    """Return the digest of another token whose inactive answers have the same place."""
    digests = (hashlib.sha256(str(number).encode()).digest() for number in range(10_000))
    return next(digest for digest in digests if slot_of(digest) == slot_of(TOKEN))


@pytest.fixture
def answers() -> LocalAnswers:
    return LocalAnswers(60)


def keep(answers: LocalAnswers, answer: Answer, digest: bytes = TOKEN) -> None:
    answers.keep(digest, Kept(answer, digest.hex(), time.time() - 1), answers.epoch, 60)


@pytest.mark.parametrize(("first", "second"), [(ACTIVE, INACTIVE), (INACTIVE, ACTIVE)])
def test_the_later_answer_about_a_token_counts(answers: LocalAnswers, first: Answer, second: Answer) -> None:
    keep(answers, first)
    keep(answers, second)

    assert answers.get(TOKEN) is second


@pytest.mark.parametrize("answer", [ACTIVE, INACTIVE])
def test_a_token_is_forgotten_whatever_its_answer_was(answers: LocalAnswers, answer: Answer) -> None:
    keep(answers, answer)
    assert answers.get(TOKEN) is answer

    answers.forget(TOKEN)

    assert answers.get(TOKEN) is None


def test_tokens_that_share_a_place_for_inactive_answers_have_answers_of_their_own(answers: LocalAnswers) -> None:
    other = of_the_same_slot()
    keep(answers, INACTIVE, other)

    assert answers.get(TOKEN) is None
    keep(answers, INACTIVE)
    assert (answers.get(TOKEN), answers.get(other)) == (INACTIVE, None)


def test_without_a_time_nothing_is_kept() -> None:
    answers = LocalAnswers(0)
    keep(answers, ACTIVE)

    assert not answers._places


def test_after_a_clock_was_set_back_a_kept_answer_proves_nothing(answers: LocalAnswers) -> None:
    with time_machine.travel(1_900_000_000, tick=False) as clock:
        answers.keep(TOKEN, Kept(ACTIVE, TOKEN.hex(), time.time() - 30), answers.epoch, 60)
        assert answers.get(TOKEN) is ACTIVE

        clock.shift(-10)
        assert answers.get(TOKEN) is None
