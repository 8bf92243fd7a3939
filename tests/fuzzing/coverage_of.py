"""Print how much of the modules of a family its inputs reach, lines and branches, in percent.

`python -m tests.fuzzing.coverage_of FAMILY DIRECTORY`. Fuzzing itself counts edges, which say nothing of what is left.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import coverage

from . import world
from .targets import load

PACKAGE = Path(__file__).resolve().parents[2] / "django_introspection"


def main(name: str, directory: Path) -> None:
    measured = coverage.Coverage(data_file=None, branch=True, source=["django_introspection"], config_file=False)
    measured.start()
    world.begin()
    family = load()[name]
    with family.ready() as seeds:
        for data in [*seeds, *(path.read_bytes() for path in sorted((directory / "corpus").iterdir()))]:
            family.target(data)
    measured.stop()
    files = [str(PACKAGE / module) for module in family.modules]
    print(round(measured.report(include=files, file=io.StringIO()), 1))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
