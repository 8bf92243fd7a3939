"""The requirements of the standards, one row each: `requirements.csv`, the only place where they are listed."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PATH = Path(__file__).with_name("requirements.csv")
LEVELS = {"M": "MUST", "S": "SHOULD", "O": "MAY", "P": "project rule"}


@dataclass(frozen=True)
class Requirement:
    """A row: `not_supported` is the reason, where we do not do it."""

    id: str
    tier: str
    standard: str
    level: str
    role: str
    requirement: str
    test: str
    verified: str
    not_supported: str


@cache
def read(path: Path = PATH) -> dict[str, Requirement]:
    """Return the rows by id; raises ValueError for an id that stands twice."""
    with path.open(newline="") as file:
        rows = [Requirement(**row) for row in csv.DictReader(file)]
    table = {row.id: row for row in rows}
    if len(table) != len(rows):
        raise ValueError("an id stands twice")
    return table


def status(requirement: Requirement, covered: Iterable[str]) -> str:
    """Say where a requirement stands."""
    if requirement.id in covered:
        return "covered"
    return "not supported" if requirement.not_supported else "missing"
