"""The outcome of a run as a table to read, as JSON, and as the page and the picture of the documentation."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from xml.sax.saxutils import escape

from .rows import Row
from .run import Measured, Ratio

PACKAGES = (
    *("django", "djangorestframework", "psycopg", "redis", "httpx2", "urllib3", "joserfc"),
    *("django-oauth-toolkit", "djangorestframework-simplejwt"),
)
Ratios = Mapping[Row, Ratio]


def versions() -> dict[str, str]:
    """Return the versions of everything that a figure depends on."""
    from django.db import connection

    with connection._nodb_cursor() as cursor:  # the database of the run is gone, and its namesake may not exist
        cursor.execute("SHOW server_version")
        server = cursor.fetchone()[0].split()[0]
    connection.close()
    found = {
        "Python": platform.python_version(),
        "PostgreSQL": server,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    return found | {name: version(name) for name in PACKAGES}


def text(ratios: Ratios, measured: Mapping[str, Measured]) -> str:
    """Return a table for the terminal."""
    lines = [f"{'CPU of a request, ours / the other':78} {'ratio':>6} {'quartiles':>13} {'goal':>6} {'ours, us':>9}"]
    for row, found in ratios.items():
        spread = f"{found.low:.3g}-{found.high:.3g}"
        lines.append(
            f"{row.title:78} {found.median:>6.3g} {spread:>13} {row.goal:>6.3g} {measured[row.ours].microseconds:>9.0f}"
        )
    return "\n".join(lines)


def as_json(ratios: Ratios, measured: Mapping[str, Measured], **circumstances: Any) -> str:
    """Return everything that was measured."""
    rows = [{**row._asdict(), **found._asdict()} for row, found in ratios.items()]
    cpu = {name: [round(seconds * 1e6, 2) for seconds in found.cpu] for name, found in measured.items()}
    counts = {name: vars(found.counts) for name, found in measured.items()}
    moment = datetime.now(UTC).date().isoformat()
    values = {"date": moment, **circumstances, "rows": rows, "cpu_microseconds": cpu, "counts": counts}
    return json.dumps(values, indent=1) + "\n"


def rst(values: Mapping[str, Any]) -> str:
    """Return the table of the documentation from the JSON of a run."""
    lines = [
        ".. Written by ``make benchmark``.",
        "",
        f"Measured on {values['date']} with {_sentence(values['versions'])}.",
        "",
        ".. list-table::",
        "   :header-rows: 1",
        "   :widths: 58 14 18 10",
        "",
        *_row("CPU of one request, ours divided by the other", "Ratio", "Quartiles", "Goal"),
    ]
    for row in values["rows"]:
        spread = f"{row['low']:.3g} to {row['high']:.3g}"
        lines += _row(row["title"], f"{row['median']:.3g}", spread, f"{row['goal']:.3g}")
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> list[str]:
    return [f"   {'*' if number == 0 else ' '} - {cell}" for number, cell in enumerate(cells)]


def _sentence(found: Mapping[str, str]) -> str:
    return (
        ", ".join(f"{name} {number}" for name, number in found.items() if name != "machine") + f" ({found['machine']})"
    )


WIDTH, LEFT, LINE, LONGEST = 860, 470, 26, 1.6
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.bar{fill:#0a6ebd}.goal{stroke:#c4320a;stroke-width:2}"
    ".one{stroke:#8c959f;stroke-dasharray:3 3}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#58a6ff}.goal{stroke:#ffa198}.one{stroke:#6e7681}}"
)
LABEL = "CPU of a request, ours divided by the other"


def svg(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the ratios as bars, with a mark at each goal and a line at 1."""
    height = LINE * (len(rows) + 2)
    scale = (WIDTH - LEFT - 50) / LONGEST
    one = LEFT + scale
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{LABEL}">',
        f"<style>{STYLE}</style>",
        f'<line class="one" x1="{one:.0f}" y1="{LINE}" x2="{one:.0f}" y2="{height - LINE / 2:.0f}"/>',
        f'<text x="{one:.0f}" y="{LINE * 0.7:.0f}" text-anchor="middle">1</text>',
    ]
    for number, row in enumerate(rows, start=1):
        top = LINE * number + 4
        long = min(row["median"], LONGEST) * scale
        goal = LEFT + min(row["goal"], LONGEST) * scale
        parts += [
            f'<text x="{LEFT - 8}" y="{top + 14}" text-anchor="end">{escape(_short(row["title"]))}</text>',
            f'<rect class="bar" x="{LEFT}" y="{top}" width="{max(long, 1):.1f}" height="18" rx="2"/>',
            f'<line class="goal" x1="{goal:.1f}" y1="{top - 2}" x2="{goal:.1f}" y2="{top + 20}"/>',
            f'<text x="{max(LEFT + long, goal) + 6:.0f}" y="{top + 14}">{row["median"]:.3g}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def _short(title: str) -> str:
    return title if len(title) <= 66 else f"{title[:64]}…"
