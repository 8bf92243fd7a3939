"""The actors of a token, as values (RFC 8693 §4.1, §4.4)."""

from __future__ import annotations

from typing import Any

import pytest

from django_introspection.protocol.actors import MAX_ACTORS, acting, may_act, wrong_actor

AGENT = {"sub": "agent", "iss": "https://auth.example.com"}


def chain(length: int) -> dict[str, Any]:
    act: dict[str, Any] = {"sub": "1"}
    for number in range(2, length + 1):
        act = {"sub": str(number), "act": act}
    return act


@pytest.mark.requirement("8693-4.1-a", "8693-4.4-a")
@pytest.mark.parametrize(
    ("members", "wrong"),
    [
        ({}, None),
        ({"act": AGENT}, None),
        ({"act": chain(MAX_ACTORS), "may_act": AGENT}, None),
        ({"act": chain(MAX_ACTORS + 1)}, "act"),
        ({"act": "agent"}, "act"),
        ({"act": None}, "act"),
        ({"act": {}}, "act"),
        ({"act": {"sub": ""}}, "act"),
        ({"act": {"sub": 1}}, "act"),
        ({"act": {**AGENT, "exp": 1}}, "act"),
        ({"act": {**AGENT, "nbf": 1}}, "act"),
        ({"act": {**AGENT, "aud": "a"}}, "act"),
        ({"act": {**AGENT, "act": {"iss": "x"}}}, "act"),
        ({"act": {**AGENT, "act": {**AGENT, "exp": 1}}}, "act"),
        ({"may_act": ["agent"]}, "may_act"),
        ({"may_act": {"iss": "x"}}, "may_act"),
        ({"may_act": {**AGENT, "act": AGENT}}, "may_act"),
    ],
)
def test_an_actor_is_an_object_of_identity_claims(members: Any, wrong: str | None) -> None:
    problem = wrong_actor(members)

    assert (problem or "").partition(" ")[0] == (wrong or "")


@pytest.mark.requirement("8693-4.1-a")
def test_earlier_actors_are_inside_of_the_present_one() -> None:
    assert acting(AGENT, {}) == AGENT
    assert acting(AGENT, {"act": {"sub": "before"}}) == {**AGENT, "act": {"sub": "before"}}
    assert acting(AGENT, {"act": chain(MAX_ACTORS)}) is None


@pytest.mark.requirement("8693-4.4-a")
@pytest.mark.parametrize(
    ("named", "may"),
    [
        ({"sub": "agent"}, True),
        (AGENT, True),
        ({"sub": "other"}, False),
        ({"sub": "agent", "iss": "https://other.example"}, False),
        ({"sub": "agent", "email": "agent@example.com"}, False),
        ("agent", False),
    ],
)
def test_the_actor_must_be_the_one_that_may_act(named: Any, may: bool) -> None:
    assert may_act(AGENT, {"may_act": named}) is may
    assert may_act(AGENT, {})
