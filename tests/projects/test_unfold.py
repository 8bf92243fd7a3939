"""The admin in the dress of django-unfold, in a process of its own."""

from __future__ import annotations

import pytest

from .run import run_tests

pytestmark = pytest.mark.processes


def test_every_page_of_ours_works_with_unfold() -> None:
    run_tests("tests/projects/looks/pages.py", "tests.projects.looks.unfold", expected="4 passed")
