"""Tie tests to requirements: check the ids, print the matrix, write its page.

`@pytest.mark.requirement("7662-2.1-a")` on a test says that it proves that row. An id that is not in the table fails
the test. `--conformance-page=PATH` writes the matrix; only passing tests count.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conformance import page
from tests.conformance.table import read, status

_MARK = "requirement"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--conformance-page", type=Path, help="write the conformance matrix to this file")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{_MARK}(*ids): the requirements of the standards that the test proves")
    config.pluginmanager.register(_Matrix(config), "conformance-matrix")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # The properties of a report travel from the workers to the one that prints.
        item.user_properties.extend((_MARK, each) for each in _ids(item))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if unknown := _ids(item) - read().keys():
        pytest.fail(f"no such requirement: {', '.join(sorted(unknown))}", pytrace=False)


def _ids(item: pytest.Item) -> set[str]:
    return {str(each) for mark in item.iter_markers(_MARK) for each in mark.args}


class _Matrix:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._passed: set[str] = set()
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        ids = {str(value) for name, value in report.user_properties if name == _MARK}
        if report.failed:
            self._failed |= ids
        elif report.when == "call" and report.passed:
            self._passed |= ids

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        covered = self._passed - self._failed
        if not covered and not self._failed:
            return
        table = read()
        terminalreporter.section("requirements of the standards")
        for tier in sorted({row.tier for row in table.values()}):
            counts = Counter(status(row, covered) for row in table.values() if row.tier == tier)
            numbers = ", ".join(f"{counts[name]} {name}" for name in ("covered", "missing", "not supported"))
            terminalreporter.line(f"tier {tier}: {numbers}")
        if path := self._config.getoption("--conformance-page"):
            path.write_text(page.render(table, covered))
            terminalreporter.line(f"written to {path}")
