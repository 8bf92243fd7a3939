"""The same journey in projects that differ in what could break it, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROJECTS = ["custom_user", "naive_times", "atomic_requests", "login_required", "script_name", "replica"]


@pytest.mark.parametrize("project", PROJECTS)
def test_the_journey_works_in_the_project(project: str) -> None:
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
        *("--create-db", f"--ds=tests.projects.{project}", "tests/projects/journey.py"),
    ]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert " passed" in finished.stdout
