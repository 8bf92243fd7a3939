"""Run every target without atheris: the valid inputs, and a fixed number of mutations of each with a fixed seed.

`python -m tests.fuzzing.plain [mutations] [family ...]`
"""

from __future__ import annotations

import sys
import time
from random import Random

from . import world
from .family import Family
from .mutations import mutate
from .targets import load

SECONDS = 2.0
"""CPU time of one input. A small one takes milliseconds."""


def main(mutations: int, names: list[str]) -> None:
    world.begin()
    families = load()
    for name in names or families:
        family = families[name]
        random, runs = Random(family.name), 0  # noqa: S311 - the same inputs in each run
        with family.ready() as seeds:
            for seed in seeds:
                data = seed
                for number in range(mutations + 1):
                    _run(family, data)
                    runs += 1
                    data = mutate(seed if number % 4 == 0 else data, random, family.words)[: family.longest]
        print(f"{name} {runs}")


def _run(family: Family, data: bytes) -> None:
    start = time.thread_time()
    try:
        family.target(data)
    except BaseException:
        print(f"{family.name}: failed with the input {data!r}", file=sys.stderr)
        raise
    assert time.thread_time() - start < SECONDS, f"{family.name}: slow with {data!r}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 100, sys.argv[2:])
