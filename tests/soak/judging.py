"""Whether a run passed: no wrong answer, everything was used, and nothing grew. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from statistics import median
from typing import NamedTuple

LONG = 600
"""Seconds from which on a run is long enough to judge growth: memory and pools have their size by the second fifth."""


class Bound(NamedTuple):
    """How much more there may be at the end: a share of what there was, and an amount."""

    share: float
    amount: float


MEMORY, CONNECTIONS, HANDLES, ENTRIES = Bound(0.05, 5), Bound(0.1, 10), Bound(0.1, 64), Bound(0.15, 100)
"""For MiB; for connections to PostgreSQL; for descriptors, threads and connections to Redis, which the requests under
way hold; for keys and rows, whose number varies with the random traffic."""


class Growth(NamedTuple):
    """The medians of one quantity in the second and in the last fifth of a run, and what the latter may be."""

    name: str
    before: float
    after: float
    limit: float

    @property
    def is_within(self) -> bool:
        return self.after <= self.limit


def bound_of(name: str) -> Bound:
    """Return the bound for a quantity by its name."""
    if name.endswith("MiB"):
        return MEMORY
    if name == "PostgreSQL: connections":
        return CONNECTIONS
    return HANDLES if name.endswith(("descriptors", "threads", "connections")) else ENTRIES


def growth(samples: Sequence[Mapping[str, float]], begun: float, ended: float) -> list[Growth]:
    """Compare the last fifth of a run with the second one, for each quantity that both have."""
    fifth = (ended - begun) / 5

    def within(start: float, end: float) -> list[Mapping[str, float]]:
        return [sample for sample in samples if start <= sample["moment"] <= end]

    second, last = within(begun + fifth, begun + 2 * fifth), within(ended - fifth, ended)
    found = []
    for name in sorted({name for sample in samples for name in sample} - {"moment"}):
        before = [sample[name] for sample in second if name in sample]
        after = [sample[name] for sample in last if name in sample]
        if before and after:
            share, amount = bound_of(name)
            found.append(Growth(name, median(before), median(after), median(before) * (1 + share) + amount))
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


def problems(
    *, wrong: int, used: Collection[str], needed: Collection[str], grown: Sequence[Growth], seconds: float
) -> list[str]:
    """Return why a run failed, nothing if it passed."""
    found = [f"{wrong} wrong answers"] if wrong else []
    found += [f"never done: {name}" for name in needed if name not in used]
    if seconds >= LONG:
        found += [
            f"{each.name} grew from {each.before:.0f} to {each.after:.0f}, more than {each.limit:.0f}"
            for each in grown
            if not each.is_within
        ]
    return found
