from __future__ import annotations

import ast

from tests.mutation import MODULES
from tests.mutation.__main__ import path_of, read_judged
from tests.mutation.mutations import mutated, mutations_of

SOURCE = '''
"""A module."""

LIMIT = 3


def accept(value: int | None, *, names: frozenset[str] = frozenset({"a", "b"})) -> bool:
    """Return a value."""
    if value is None or not value < LIMIT:
        raise ValueError
    return any(name for name in names if name)
'''


def test_each_kind_of_change_is_made_once_and_can_be_compiled() -> None:
    found = list(mutations_of("module", SOURCE))
    changed = [ast.unparse(mutated(SOURCE, mutation)) for mutation in found]

    assert len(set(changed)) == len(found)
    for each in changed:
        compile(each, "module", "exec")
    assert {(each.line, each.change) for each in found} >= {
        (4, "3 → 4"),
        (7, "without 'a'"),
        (9, "Is → IsNot"),
        (9, "Or → And"),
        (9, "without value is None"),
        (9, "without not"),
        (9, "Lt → LtE"),
        (9, "if False"),
        (10, "without raise"),
        (11, "any → all"),
        (11, "without its filter"),
        (11, "return None"),
    }


def test_every_judgement_is_about_a_mutant_that_can_be_made() -> None:
    made = {mutation.name for module in MODULES for mutation in mutations_of(module, path_of(module).read_text())}

    assert [name for name in read_judged() if name not in made] == []
