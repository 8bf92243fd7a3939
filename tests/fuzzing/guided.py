"""Fuzz one family in this process with atheris, guided by the code of the package that each input reaches.

`python -m tests.fuzzing.guided FAMILY DIRECTORY [options of libFuzzer]`
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from pathlib import Path
from random import Random

import atheris

from . import world
from .mutations import mutate
from .targets import load

MEMORY = 2 * 1024**3
"""Bytes that the process may have."""
SECONDS = 5
"""Seconds that one input may take."""
SLOWEST = "slowest.json"


def main(name: str, directory: Path, options: list[str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with atheris.instrument_imports(include=["django_introspection"]):
        world.begin()
        import django_introspection.urls  # noqa: F401

        family = load()[name]
    corpus = directory / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    with family.ready() as seeds:
        for number, seed in enumerate(seeds):
            (corpus / f"seed-{number}").write_bytes(seed)
            family.target(seed)  # what is imported and compiled once is no part of the time of an input
        gc.freeze()  # nor is a search for garbage among the classes of the whole project
        watch = Watch(directory / SLOWEST)

        def target(data: bytes) -> None:
            start = time.thread_time()
            family.target(data)
            watch.note(time.thread_time() - start, len(data))

        def change(data: bytes, longest: int, seed: int) -> bytes:
            random = Random(seed)  # noqa: S311 - no secret is made of it
            if random.random() < 0.5:
                return bytes(atheris.Mutate(data, longest))
            return mutate(data, random, family.words)[:longest]

        limits = [f"-timeout={SECONDS}", "-rss_limit_mb=1500", f"-max_len={family.longest}", "-print_final_stats=1"]
        arguments = [sys.argv[0], *limits, f"-artifact_prefix={directory}/", *options, str(corpus)]
        atheris.Setup(arguments, target, custom_mutator=change)
        atheris.Fuzz()


class Watch:
    """Keep the longest CPU time of an input in a file, since the process ends without a word to Python."""

    def __init__(self, path: Path) -> None:
        self._path, self._seconds = path, 0.0

    def note(self, seconds: float, size: int) -> None:
        if seconds > 1.1 * self._seconds:
            self._seconds = seconds
            self._path.write_text(json.dumps({"seconds": round(seconds, 4), "bytes": size}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
