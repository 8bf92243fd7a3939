"""What all runs together have reached, as JSON; each run adds to it. The table of the documentation is made of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from .listing import rules

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "tests" / "fuzzing" / "record.json"
TABLE = ROOT / "docs" / "fuzzing.csv"
HEADER = ("Family", "Rule", "CPU time", "Executions", "Coverage", "Slowest input", "Last run")


@dataclass(frozen=True)
class Result:
    """What the runs of one family have reached; seconds are CPU seconds."""

    seconds: float
    executions: int
    edges: int
    coverage: float
    """Percent of the lines and branches of the family's modules that the kept inputs reach."""
    inputs: int
    crashes: int
    slowest_seconds: float
    slowest_bytes: int
    last_run: str

    def plus(self, later: Result) -> Result:
        """Return both together: what was counted is added, what was measured is the later one's."""
        slowest = max(self, later, key=lambda result: result.slowest_seconds)
        return Result(
            round(self.seconds + later.seconds, 1),
            self.executions + later.executions,
            max(self.edges, later.edges),
            later.coverage,
            later.inputs,
            self.crashes + later.crashes,
            slowest.slowest_seconds,
            slowest.slowest_bytes,
            later.last_run,
        )


def read() -> dict[str, Result]:
    if not RECORD.exists():
        return {}
    return {name: Result(**result) for name, result in json.loads(RECORD.read_text()).items()}


def add(name: str, result: Result) -> None:
    """Add the result of one run, and write the table."""
    found = read()
    found[name] = found[name].plus(result) if name in found else result
    found = dict(sorted(found.items()))
    RECORD.write_text(json.dumps({each: asdict(one) for each, one in found.items()}, indent=2) + "\n")
    TABLE.write_text(table(found))


def table(results: Mapping[str, Result]) -> str:
    """Return the table of the documentation."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for name, result in results.items():
        writer.writerow(
            (
                name.replace("_", " "),
                rules().get(name, ""),
                f"{result.seconds / 60:.1f}\N{NO-BREAK SPACE}min"
                if result.seconds < 3600
                else f"{result.seconds / 3600:.1f}\N{NO-BREAK SPACE}h",
                f"{result.executions:,}",
                f"{result.coverage:.0f}\N{NO-BREAK SPACE}%",
                f"{1000 * result.slowest_seconds:.1f}\N{NO-BREAK SPACE}ms" if result.slowest_bytes else "not measured",
                result.last_run,
            )
        )
    return text.getvalue()


def today() -> str:
    return datetime.now(UTC).date().isoformat()


if __name__ == "__main__":  # after a rule was rewritten
    TABLE.write_text(table(read()))
