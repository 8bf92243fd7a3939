from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from django_introspection.protocol.answer import Active, Inactive, Reason
from django_introspection.protocol.token_info import TokenInfo


def test_a_good_token_is_true_and_any_other_is_false() -> None:
    assert Active(TokenInfo({}))
    assert not Inactive(Reason.UNKNOWN)


def test_an_answer_cannot_be_changed_afterwards() -> None:
    with pytest.raises(FrozenInstanceError):
        Active(TokenInfo({})).user = "mallory"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Inactive(Reason.REVOKED).reason = Reason.UNKNOWN  # type: ignore[misc]


def test_the_user_is_not_in_the_repr_of_an_answer() -> None:
    assert "alice" not in repr(Active(TokenInfo({"username": "alice"}), user="alice"))


def test_every_reason_is_a_text_of_its_own_for_the_log() -> None:
    assert len({str(reason) for reason in Reason}) == len(Reason)
