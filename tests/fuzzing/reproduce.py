"""Run one input again: `python -m tests.fuzzing.reproduce FAMILY FILE`, the file being one that a run kept."""

from __future__ import annotations

import sys
from pathlib import Path

from . import world
from .targets import load


def main(name: str, path: str) -> None:
    world.begin()
    family = load()[name]
    with family.ready():
        family.target(Path(path).read_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
