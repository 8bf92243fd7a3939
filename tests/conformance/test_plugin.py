"""The plugin sees what it is there to see."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.table import LEVELS, read

pytestmark = pytest.mark.processes

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
CONFTEST = 'pytest_plugins = ["tests.conformance.plugin"]'


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes of pytester find this package where the project is installed from a wheel."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_the_table_is_whole() -> None:
    rows = read().values()

    assert len(rows) == 307
    assert {row.level for row in rows} == LEVELS.keys()
    assert {row.role for row in rows} == {"AS", "RS", "both", "CL"}
    assert all(row.requirement and row.test for row in rows)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_id_that_is_not_in_the_table_fails_its_test(pytester: pytest.Pytester, workers: str) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("import pytest\n@pytest.mark.requirement('7662-9-z')\ndef test_it(): pass")

    outcome = pytester.runpytest_subprocess("-p", "no:django", "-n", workers)

    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(["no such requirement: 7662-9-z"])


def test_a_requirement_with_a_failing_test_is_not_covered(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.requirement('7662-2.1-a')\n"
        "@pytest.mark.parametrize('number', [1, 2])\n"
        "def test_one(number): assert number == 1\n"
        "@pytest.mark.requirement('7662-2.1-b')\n"
        "def test_two(): pass"
    )

    outcome = pytester.runpytest_subprocess("-p", "no:django", "--conformance-page=matrix.rst")

    outcome.stdout.fnmatch_lines(["tier 1: 1 covered, *"])
    page = (pytester.path / "matrix.rst").read_text().splitlines()
    rows = (number for number, line in enumerate(page) if "7662-2.1" in line)
    statuses = {page[number].strip("* -"): page[number + 4].strip(" -") for number in rows}
    assert statuses["7662-2.1-a"] == "missing"
    assert statuses["7662-2.1-b"] == "covered"
