"""Charts for the templates, in whole numbers: the positions of bars and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import formats

from ..models import Client

WIDTH = 420
LABELS = 140
"""Width of the names left of lying bars."""
ROW = 28
COLUMN_HEIGHT = 140
TOP_MARGIN = 24
BOTTOM_MARGIN = 42
NAME_LENGTH = 17


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its place, its texts and the places of these."""

    label: str
    short: str
    count: int
    x: int
    y: int
    width: int
    height: int
    text_x: int
    text_y: int
    client: Client | None = None
    month: str = ""
    """The month below the first day of a chart and below the first day of a month."""

    @property
    def short_count(self) -> str:
        """The count in a few characters, so that neighbours do not meet."""
        for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
            if self.count >= unit * 10:
                return f"{self.count // unit}{letter}"
        return str(self.count)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that a template draws; `name` is its id in the page."""

    name: str
    title: Any
    kind: str
    bars: Sequence[Bar]
    height: int
    width: int = WIDTH

    @property
    def total(self) -> int:
        """The sum of all bars."""
        return sum(bar.count for bar in self.bars)

    @property
    def labels_x(self) -> int:
        """The end of the names to the left of horizontal bars."""
        return LABELS - 6

    @property
    def label_y(self) -> int:
        """The line of the names below vertical bars."""
        return self.baseline + 18

    @property
    def month_y(self) -> int:
        """The line of the months below the days."""
        return self.label_y + 16

    @property
    def baseline(self) -> int:
        """The foot of vertical bars."""
        return TOP_MARGIN + COLUMN_HEIGHT


def day_chart(name: str, title: Any, days: Sequence[date], counts: Mapping[date, int]) -> Chart:
    """Return standing bars, one for each day, the days without a count included."""
    most = max([counts.get(day, 0) for day in days] or [0]) or 1
    step = WIDTH // len(days)
    bars = []
    for place, day in enumerate(days):
        count = counts.get(day, 0)
        height = _share(count, most, COLUMN_HEIGHT)
        top = TOP_MARGIN + COLUMN_HEIGHT - height
        middle = place * step + step // 2
        label, short = formats.date_format(day, "DATE_FORMAT"), str(day.day)
        month = formats.date_format(day, "M") if place == 0 or day.day == 1 else ""
        bars.append(Bar(label, short, count, place * step + 3, top, step - 6, height, middle, top - 6, month=month))
    return Chart(name, title, "days", bars, TOP_MARGIN + COLUMN_HEIGHT + BOTTOM_MARGIN)


def client_chart(name: str, title: Any, counts: Sequence[tuple[Client, int]]) -> Chart:
    """Return lying bars, one for each client."""
    most = max([count for _client, count in counts] or [0]) or 1
    bars = []
    for place, (client, count) in enumerate(counts):
        width = _share(count, most, WIDTH - LABELS - 50)
        label = client.client_name
        short = label if len(label) <= NAME_LENGTH else f"{label[: NAME_LENGTH - 1]}…"
        top = place * ROW + 4
        bars.append(Bar(label, short, count, LABELS, top, width, ROW - 8, LABELS + width + 6, top + 15, client))
    return Chart(name, title, "clients", bars, len(counts) * ROW + 8)


def _share(count: int, most: int, length: int) -> int:
    """Return the length of a bar, at least 2 if there is anything to count."""
    return max(count * length // most, 2) if count else 0
