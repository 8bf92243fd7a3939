"""A token on its way: error reports show the locals of frames, and Django hides those of plain functions alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Presented:
    """Carry the value of a token through operations that are generators; its `repr` does not tell it."""

    value: str
