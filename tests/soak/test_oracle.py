"""The oracle of the soak test: what it expects before, during and after each event."""

from __future__ import annotations

import pytest

from .oracle import (
    ENABLED_LATE,
    Disabling,
    Event,
    Expected,
    Grant,
    KnownToken,
    Oracle,
    wrong_activity,
    wrong_members,
    wrong_status,
)
from .site import LEEWAY, ORDERS, READ, WRITE, Source

ACTIVE, EITHER, INACTIVE = Expected.ACTIVE, Expected.EITHER, Expected.INACTIVE


@pytest.fixture
def token() -> KnownToken:
    return KnownToken("t", True, "shop", frozenset({READ}), ORDERS, "7", expires=(100, 102), token_id="id")


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize(
    ("sent", "received", "expected"),
    [(1, 9, ACTIVE), (1, 10, EITHER), (11, 12, EITHER), (19, 30, EITHER), (20, 21, INACTIVE), (50, 51, INACTIVE)],
)
@pytest.mark.parametrize("of_grant", [False, True])
def test_a_revocation_counts_for_requests_sent_after_its_acknowledgement(
    token: KnownToken, source: Source, sent: float, received: float, expected: Expected, of_grant: bool
) -> None:
    token.grant = Grant("shop", "r", ends=90)
    (token.grant if of_grant else token).end = Event(begun=10, acknowledged=20)

    assert Oracle().expected(token, source, sent, received) is expected


def test_a_revocation_without_acknowledgement_leaves_the_answer_open(token: KnownToken) -> None:
    token.end = Event(begun=10)

    assert Oracle().expected(token, Source.ASKED, 90, 91) is EITHER
    assert Oracle().expected(token, Source.ASKED, 103, 104) is INACTIVE


@pytest.mark.parametrize(("source", "latest"), [(Source.ASKED, 102), (Source.KEPT, 102), (Source.SIGNED, 102 + LEEWAY)])
def test_a_token_expires_between_its_earliest_and_its_latest_moment(
    token: KnownToken, source: Source, latest: float
) -> None:
    oracle = Oracle()

    assert oracle.expected(token, source, 98, 99) is ACTIVE
    assert oracle.expected(token, source, 99, 100) is EITHER
    assert oracle.expected(token, source, latest, latest + 1) is EITHER
    assert oracle.expected(token, source, latest + 0.1, latest + 1) is INACTIVE


@pytest.mark.parametrize(("source", "late"), [(Source.ASKED, 0), (Source.SIGNED, 0), (Source.KEPT, ENABLED_LATE)])
def test_a_client_that_was_disabled_and_enabled(token: KnownToken, source: Source, late: float) -> None:
    oracle = Oracle()
    oracle.disablings["shop"] = [Disabling(Event(10, 20), Event(30, 40))]

    def at(sent: float, received: float) -> Expected:
        return oracle.expected(token, source, sent, received)

    assert at(1, 9) is ACTIVE
    assert at(1, 15) is EITHER
    assert at(20, 29) is INACTIVE
    assert at(20, 30) is EITHER
    assert at(40 + late, 60) is EITHER
    assert at(40.1 + late, 60) is ACTIVE
    assert oracle.may_be_refused("shop", 25, 26)
    assert not oracle.may_be_refused("shop", 41, 42)
    assert not oracle.may_be_refused("another", 25, 26)


@pytest.mark.parametrize(
    ("expected", "is_active", "is_wrong"),
    [
        (ACTIVE, True, False),
        (ACTIVE, False, True),
        (INACTIVE, True, True),
        (INACTIVE, False, False),
        (EITHER, True, False),
        (EITHER, False, False),
    ],
)
def test_an_answer_must_be_the_expected_one(expected: Expected, is_active: bool, is_wrong: bool) -> None:
    assert bool(wrong_activity(expected, is_active=is_active)) is is_wrong


def test_the_members_of_an_answer_must_be_those_of_the_token(token: KnownToken) -> None:
    right = {"scope": READ, "aud": [ORDERS], "client_id": "shop", "sub": "7", "jti": "id", "active": True}

    assert wrong_members(token, right) == []
    for name in ("scope", "aud", "client_id", "sub", "jti"):
        assert len(wrong_members(token, {**right, name: "another"})) == 1
        assert len(wrong_members(token, {key: value for key, value in right.items() if key != name})) == 1


def test_a_view_needs_its_scope(token: KnownToken) -> None:
    assert wrong_status(token, READ, 200) == []
    assert wrong_status(token, WRITE, 403) == []
    assert wrong_status(token, READ, 403) == ["status 403, not 200"]
    assert wrong_status(token, WRITE, 200) == ["status 200, not 403"]


def test_what_can_still_be_chosen(token: KnownToken) -> None:
    assert token.is_untouched
    assert not token.is_over(102)
    assert token.is_over(103)

    token.end = Event(begun=10)
    assert not token.is_untouched
    assert not token.is_over(11)
    token.end.acknowledged = 12
    assert token.is_over(13)
