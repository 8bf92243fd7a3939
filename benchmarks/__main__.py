"""Measure the rows of the table of speed: `make benchmark`, or `make benchmark ARGS="--row 3"` for one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from . import report
from .rows import ROWS
from .run import measure, ratio, wrong_counts

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"


def main() -> int:
    options = _parser().parse_args()
    rows = [ROWS[number - 1] for number in options.row] if options.row else ROWS
    cycles, batch = (2, 5) if options.smoke else (options.cycles, options.batch)
    measured = measure(rows, cycles=cycles, batch=batch, tokens=1000 if options.smoke else options.tokens)
    ratios = {row: ratio(row, measured) for row in rows}
    print(report.text(ratios, measured))
    wrong = wrong_counts(measured)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    values = report.as_json(ratios, measured, versions=report.versions(), cycles=cycles, batch=batch)
    if options.json:
        Path(options.json).write_text(values)
    if options.write:
        _write(values)
    return 1 if wrong else 0


def _write(values: str) -> None:
    found = json.loads(values)
    PAGE.mkdir(exist_ok=True)
    (PAGE / "table.rst").write_text(report.rst(found))
    (PAGE / "ratios.svg").write_text(report.svg(found["rows"]))
    (PAGE / "ratios.json").write_text(values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    rows = "; ".join(f"{number} {row.title}" for number, row in enumerate(ROWS, start=1))
    parser.add_argument("--row", type=int, action="append", choices=range(1, len(ROWS) + 1), metavar="N", help=rows)
    parser.add_argument("--cycles", type=int, default=30, help="turns of each scenario")
    parser.add_argument("--batch", type=int, default=40, help="requests in a turn")
    parser.add_argument("--tokens", type=int, default=5000, help="rows in each table of tokens")
    parser.add_argument("--json", metavar="FILE", help="write everything that was measured")
    parser.add_argument("--write", action="store_true", help="write the table and the picture of the documentation")
    parser.add_argument(
        "--smoke", action="store_true", help="run each scenario shortly, to see that it runs and costs what it may"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
