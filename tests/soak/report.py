"""The outcome of a run: for the terminal, as JSON, and as the tables of the documentation."""

from __future__ import annotations

import csv
import json
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from .judging import Growth, percentile
from .record import Phase, Record
from .servers import LOGS, ROOT
from .site import VIEWS

TABLES = ROOT / "docs" / "soak"
PACKAGES = ("Django", "gunicorn", "uvicorn", "redis", "psycopg")
Row = Sequence[object]


def operations(phase: Phase) -> list[Row]:
    """Return for each operation its answers and latencies in milliseconds."""
    header = ("Operation", "Answers", "503", "p50, ms", "p99, ms", "Longest, ms")
    rows: list[Row] = [header]
    order = {name: number for number, name in enumerate(VIEWS)}
    for name in sorted(phase.seconds, key=lambda name: (name in order, order.get(name, 0), name)):
        seconds = phase.seconds[name]
        times = (percentile(seconds, 0.5), percentile(seconds, 0.99), max(seconds))
        shown = f"view {name}" if name in VIEWS else name
        rows.append(
            (shown, f"{len(seconds):,}", phase.outcomes[name, "503"], *(f"{1000 * time:.0f}" for time in times))
        )
    return rows


def quantities(grown: Iterable[Growth]) -> list[Row]:
    """Return how each quantity changed."""
    rows: list[Row] = [("Quantity", "Second fifth", "Last fifth", "At most")]
    rows += [(each.name, *(f"{number:.0f}" for number in each[1:])) for each in grown]
    return rows


def run(record: Record, *, answers: int, seconds: float, maximum: float) -> list[Row]:
    """Return the circumstances of a run."""
    versions = ", ".join((f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in PACKAGES)))
    return [
        ("Run", "Value"),
        ("Date", datetime.now(UTC).date().isoformat()),
        ("Minutes", f"{seconds / 60:.1f}"),
        ("Answers", f"{answers:,}"),
        ("Wrong answers", len(record.wrong)),
        ("Answers a second", f"{answers / seconds:.0f}"),
        ("Maximum that was measured before", f"{maximum:.0f}"),
        ("Processor", f"{platform.machine()}, {os.cpu_count()} cores"),
        ("Versions", versions),
        ("Seed", record.seed),
    ]


def phases(record: Record) -> list[Row]:
    """Return what happened in each phase."""
    rows: list[Row] = [("Phase", "Seconds", "Answers", "503 or none", "Last of them, s after the fault", "Wrong")]
    for phase in record.phases:
        last = f"{max(0.0, phase.last_refusal - phase.fault_ended):.1f}" if phase.fault_ended else ""
        wrong = sum(each["phase"] == phase.name for each in record.wrong)
        seconds = f"{phase.ended - phase.begun:.0f}"
        rows.append((phase.name, seconds, f"{phase.answers:,}", phase.refusals(), last, wrong))
    return rows


def text(rows: Sequence[Row]) -> str:
    """Return a table for the terminal."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not number else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    )


def write_json(record: Record, grown: Sequence[Growth], **circumstances: Any) -> None:
    """Write everything to var/soak/result.json."""
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "seed": record.seed,
        **circumstances,
        "phases": phases(record),
        "operations": {phase.name: operations(phase) for phase in record.phases},
        "quantities": quantities(grown),
        "counts": record.counts,
        "wrong": record.wrong,
        "samples": record.samples,
    }
    (LOGS / "result.json").write_text(json.dumps(result, indent=1) + "\n")


def write_tables(**tables: Sequence[Row]) -> None:
    """Write the tables that the documentation shows."""
    TABLES.mkdir(exist_ok=True)
    for name, rows in tables.items():
        with (TABLES / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
