"""Print the matrix of tokens and modes, and write its page: `--servers-page=PATH`."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from tests.servers import page

PROPERTY = "servers"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--servers-page", type=Path, help="print the matrix of servers and write it to this file")


def pytest_configure(config: pytest.Config) -> None:
    if path := config.getoption("--servers-page"):
        config.pluginmanager.register(_Matrix(path), "servers-matrix")


class _Matrix:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._statuses: dict[str, dict[page.Column, dict[str, int | None]]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            return
        for name, value in report.user_properties:
            if name == PROPERTY:
                server, setup, strict, statuses = value  # type: ignore[misc]  # what the matrix test recorded
                self._statuses[server][setup, strict] = statuses

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._statuses:
            return
        terminalreporter.section("tokens of real servers")
        for line in page.lines(self._statuses):
            terminalreporter.line(line)
        self._path.write_text(page.render(self._statuses), encoding="utf-8")
        terminalreporter.line(f"written to {self._path}")
