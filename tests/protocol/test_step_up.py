"""The authentication that a view requires, as a value (RFC 9470 §3, §5, §6)."""

from __future__ import annotations

from typing import Any

import pytest

from django_introspection.protocol.step_up import StepUp, wrong_authentication
from django_introspection.protocol.times import LAST_SECOND

NOW = 1_800_000_000.5


def is_met(step_up: StepUp, **members: Any) -> bool:
    return step_up.is_met(members, now=NOW, leeway=30)


@pytest.mark.parametrize(
    ("acr", "met"),
    [("gold", True), ("silver", True), ("Gold", False), ("gold silver", False), (None, False), (2, False)],
)
def test_one_of_the_contexts_is_enough_and_is_compared_whole(acr: Any, met: bool) -> None:
    assert is_met(StepUp.read(["gold", "silver"]), acr=acr) is met


@pytest.mark.parametrize("acr", [["gold"], ("gold",), {"gold": {}}])
def test_a_context_that_is_no_string_is_none(acr: Any) -> None:
    assert not is_met(StepUp.read(["gold"]), acr=acr)


@pytest.mark.parametrize(
    ("auth_time", "met"),
    [
        (NOW, True),
        (int(NOW) - 300, True),
        (NOW - 330, True),
        (NOW - 330.5, False),
        (str(int(NOW)), True),
        (str(int(NOW) - 331), False),
        (NOW + 30, True),
        (NOW + 31, False),
        (NOW * 1000, True),
        (str(int(NOW * 1000)), True),
        ((NOW - 331) * 1000, False),
        (NOW * 1e6, False),
        (LAST_SECOND, False),
        (0, False),
        (-1, False),
        (True, False),
        ("yesterday", False),
        ("1.8e9", False),
        ([NOW], False),
        (float("nan"), False),
        (float("inf"), False),
        (None, False),
    ],
)
def test_the_authentication_is_recent_by_any_number_of_seconds_and_by_nothing_else(auth_time: Any, met: bool) -> None:
    assert is_met(StepUp.read(max_age=300), auth_time=auth_time) is met


def test_both_parts_are_required_and_a_missing_member_shows_nothing() -> None:
    both = StepUp.read("gold silver", 300)

    assert is_met(both, acr="silver", auth_time=NOW)
    assert not is_met(both, acr="silver")
    assert not is_met(both, auth_time=NOW)
    assert not is_met(both, acr="bronze", auth_time=NOW)
    assert not is_met(StepUp.read(max_age=0))


def test_an_age_of_zero_asks_for_an_authentication_now() -> None:
    assert is_met(StepUp.read(max_age=0), auth_time=NOW - 30)
    assert not is_met(StepUp.read(max_age=0), auth_time=NOW - 31)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, ValueError),
        ({"acr_values": []}, ValueError),
        ({"acr_values": ""}, ValueError),
        ({"acr_values": ["a b"]}, ValueError),
        ({"acr_values": "a  b"}, ValueError),
        ({"acr_values": ['"']}, ValueError),
        ({"acr_values": ["é"]}, ValueError),
        ({"acr_values": [""]}, ValueError),
        ({"acr_values": [2]}, ValueError),
        ({"acr_values": {"gold"}}, TypeError),
        ({"acr_values": 2}, TypeError),
        ({"max_age": -1}, ValueError),
        ({"max_age": True}, TypeError),
        ({"max_age": 1.5}, TypeError),
        ({"max_age": "300"}, TypeError),
    ],
)
def test_an_authentication_that_no_challenge_can_name_is_refused(arguments: Any, problem: Any) -> None:
    with pytest.raises(problem):
        StepUp.read(**arguments)


def test_the_parameters_of_a_challenge_keep_the_order_of_preference() -> None:
    assert StepUp.read(["gold", "silver", "gold"], 0).parameters() == {"acr_values": "gold silver", "max_age": "0"}
    assert StepUp.read("gold").parameters() == {"acr_values": "gold", "max_age": None}
    assert StepUp.read(max_age=5).parameters() == {"acr_values": None, "max_age": "5"}


def test_one_authentication_meets_several_requirements() -> None:
    first, second = StepUp.read("gold silver", 300), StepUp.read("silver bronze")

    assert StepUp.together([first, second]) == StepUp(("silver",), 300)
    assert StepUp.together([first, StepUp.read(max_age=60)]) == StepUp(("gold", "silver"), 60)
    assert StepUp.together([first, StepUp.read("bronze", 600)]) == StepUp(("gold", "silver"), 300)
    assert StepUp.together([StepUp.read(max_age=60)]) == StepUp((), 60)


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({}, None),
        ({"acr": None, "amr": None, "auth_time": None}, None),
        ({"acr": "gold", "amr": ["pwd", "otp"], "auth_time": NOW}, None),
        ({"acr": 2}, "acr must be a string"),
        ({"amr": "pwd"}, "amr must be a list of strings"),
        ({"amr": [1]}, "amr must be a list of strings"),
        ({"auth_time": str(int(NOW))}, "auth_time must be a number of seconds"),
        ({"auth_time": NOW * 1000}, "auth_time must be a number of seconds"),
        ({"auth_time": True}, "auth_time must be a number of seconds"),
    ],
)
def test_members_of_another_type_are_not_issued(members: Any, problem: str | None) -> None:
    assert wrong_authentication(members) == problem
