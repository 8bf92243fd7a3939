"""What the soak test takes for growth, and what makes it fail."""

from __future__ import annotations

from typing import Any

import pytest

from .judging import LONG, Growth, growth, percentile, problems


def samples(values: list[float], name: str = "resource server: memory, MiB") -> list[dict[str, float]]:
    return [{"moment": float(moment), name: value} for moment, value in enumerate(values)]


def test_the_last_fifth_is_compared_with_the_second() -> None:
    (found,) = growth(samples([50.0] * 10 + [90.0] * 10 + [500.0] * 20 + [99.0] * 11), 0, 50)

    assert found.name == "resource server: memory, MiB"
    assert (found.before, found.after) == (90, 99)
    assert found.limit == pytest.approx(90 * 1.05 + 5)
    assert found.is_within
    assert not found._replace(after=100).is_within


def test_each_quantity_has_its_bound() -> None:
    quantities = ("a: descriptors", "Redis: connections", "PostgreSQL: connections", "Redis: tombstones", "a: rows")

    limits = {name: growth(samples([100.0] * 51, name), 0, 50)[0].limit for name in quantities}

    assert limits == pytest.approx(dict(zip(quantities, (174, 174, 120, 215, 215), strict=True)))


def test_what_was_not_seen_in_both_parts_is_not_compared() -> None:
    assert growth(samples([1.0] * 30), 0, 50) == []
    assert growth([], 0, 50) == []


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (0.999, 100), (1, 100), (0.001, 1), (0, 1)])
def test_a_percentile_is_a_value_that_occurred(share: float, expected: float) -> None:
    assert percentile(range(100, 0, -1), share) == expected
    assert percentile([7], share) == 7


PASSED: dict[str, Any] = {"wrong": 0, "used": {"token", "revoke"}, "needed": ["token"], "grown": [], "seconds": LONG}
GROWN = [Growth("Redis: connections", 10, 50, 21)]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"wrong": 2}, ["2 wrong answers"]),
        ({"needed": ["token", "refresh"]}, ["never done: refresh"]),
        ({"grown": GROWN}, ["Redis: connections grew from 10 to 50, more than 21"]),
        ({"grown": GROWN, "seconds": LONG - 1}, []),
        ({"grown": [GROWN[0]._replace(after=21)]}, []),
    ],
)
def test_why_a_run_fails(changed: dict[str, Any], expected: list[str]) -> None:
    assert problems(**{**PASSED, **changed}) == expected
