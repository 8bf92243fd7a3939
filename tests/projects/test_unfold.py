"""The admin in the dress of django-unfold, in a process of its own."""

from __future__ import annotations

import subprocess
import sys


def test_every_page_of_ours_works_with_unfold() -> None:
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
        *("--create-db", "--ds=tests.projects.unfold.settings", "tests/projects/unfold/pages.py"),
    ]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "4 passed" in finished.stdout
