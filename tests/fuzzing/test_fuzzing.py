"""The targets of the fuzzer with a few inputs, on every Python; `make fuzz` gives them many more."""

from __future__ import annotations

import pytest

from tests.projects.run import run_module

from . import record
from .listing import rules


@pytest.mark.processes
def test_every_family_keeps_its_rule_with_valid_and_mutated_inputs() -> None:
    lines = run_module("tests.fuzzing.plain", "tests.fuzzing.settings", "20").splitlines()

    runs = {name: int(number) for name, number in (line.split() for line in lines)}
    assert runs.keys() == rules().keys()
    assert min(runs.values()) > 40


def test_every_family_has_a_rule_and_a_result() -> None:
    assert all(rules().values())
    assert record.read().keys() == rules().keys()


def test_the_table_of_the_documentation_is_that_of_the_record() -> None:
    assert record.TABLE.read_text() == record.table(record.read())
