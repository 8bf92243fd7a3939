"""The tables themselves: each difference is described in the documentation, and its counts are right."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.scenarios.tables import Row, every_row

DOCS = Path(__file__).parents[2] / "docs"
OUTCOME = re.compile(r"unavailable|refused|(\d{3}|4xx)( [a-z_]+)?")
ROWS = every_row()
SUITE = re.compile(
    r"\* - (?P<suite>[^`\n]+), ``(?P<revision>\w+)``\s+- (?P<rows>\d+)\s+- (?P<same>\d+)\s+- (?P<differ>\d+)"
    r"(?: \((?P<pages>[^)]*)\))?"
)


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row.area}-{row.id}") for row in ROWS])
def test_a_row_says_what_its_runner_reads(row: Row) -> None:
    assert OUTCOME.fullmatch(row.theirs)
    assert OUTCOME.fullmatch(row.ours)
    assert row.given.keys() <= import_module(f"tests.scenarios.test_{row.area}").INPUTS
    assert row.differs == (row.page is not None) == (row.says is not None)


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row.area}-{row.id}") for row in ROWS if row.differs])
def test_a_difference_is_described_on_its_page(row: Row) -> None:
    page = " ".join((DOCS / f"{row.page}.rst").read_text(encoding="utf-8").split())

    assert str(row.says) in page


def test_no_two_rows_of_an_area_have_one_name() -> None:
    names = [(row.area, row.id) for row in ROWS]

    assert len(set(names)) == len(names)


def test_the_documentation_counts_the_rows_of_each_suite() -> None:
    page = (DOCS / "reliability.rst").read_text(encoding="utf-8")
    text, differ = " ".join(page.split()), sum(row.differs for row in ROWS)
    counted = {}
    for found in SUITE.finditer(page):
        pages = tuple(re.findall(r":doc:`([\w-]+)`", found["pages"] or ""))
        counted[found["suite"], found["revision"]] = (*map(int, found.group("rows", "same", "differ")), pages)

    assert f"has {len(ROWS)} scenarios of them" in text
    assert f"{differ} rows have another outcome here" in text
    assert counted == {suite: _counts(suite) for suite in {(row.suite, row.revision) for row in ROWS}}


def _counts(suite: tuple[str, str]) -> tuple[int, int, int, tuple[str, ...]]:
    rows = [row for row in ROWS if (row.suite, row.revision) == suite]
    pages = tuple(sorted({str(row.page) for row in rows if row.differs}))
    differ = sum(row.differs for row in rows)
    return len(rows), len(rows) - differ, differ, pages
