"""The admin in the looks of other packages, and under a strict policy: each in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.projects.run import run_tests
from tests.test_documentation import blocks

SETTINGS = """\
from tests.settings import *
from tests.settings import INSTALLED_APPS, MIDDLEWARE
"""


@pytest.mark.parametrize("look", ["grappelli", "jazzmin", "unfold"])
def test_every_page_of_ours_works_in_the_look(look: str) -> None:
    run_tests("tests/projects/looks/pages.py", f"tests.projects.looks.{look}", expected="4 passed")


def test_every_page_of_ours_works_under_the_policy_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = (block for block in blocks("docs/deployment.rst") if "CONTENT_SECURITY_POLICY" in block.code)
    (tmp_path / "settings_of_the_page.py").write_text(SETTINGS + block.code)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))

    run_tests("tests/projects/looks/strict_pages.py", "settings_of_the_page", expected="1 passed")
