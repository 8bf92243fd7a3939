"""What happened in a run: answers by operation, their latencies, and everything that was wrong."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

PRINTED = 20
"""Wrong answers of which the story is printed; all of them are counted and kept."""


@dataclass
class Phase:
    """A part of the run; if it `has_faults`, requests may be cut off."""

    name: str
    has_faults: bool = False
    begun: float = field(default_factory=monotonic)
    ended: float = 0.0
    fault_ended: float = 0.0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many answers of an operation had an outcome: a status, or `no answer`."""
    seconds: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("f")))
    """The latency of each answer of an operation."""
    last_refusal: float = 0.0
    """When the last request got no answer or a 503."""

    @property
    def answers(self) -> int:
        return sum(self.outcomes.values())

    def refusals(self) -> int:
        return sum(number for (_, outcome), number in self.outcomes.items() if outcome in ("503", "no answer"))


@dataclass
class Record:
    """Everything that a run leaves behind."""

    seed: str
    phases: list[Phase] = field(default_factory=list)
    wrong: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, float]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Events of which there must be some: revocations that were acknowledged, for example."""

    @property
    def phase(self) -> Phase:
        return self.phases[-1]

    def begin(self, name: str, *, has_faults: bool = False) -> Phase:
        """Begin a phase and end the last one."""
        if self.phases:
            self.phase.ended = monotonic()
        self.phases.append(Phase(name, has_faults))
        return self.phase

    def add_wrong(self, what: str, **story: Any) -> None:
        """Keep something that was wrong; a story has no value of a token."""
        self.wrong.append({"what": what, "phase": self.phase.name, **story})
        if len(self.wrong) <= PRINTED:
            print("WRONG", self.wrong[-1], flush=True)
