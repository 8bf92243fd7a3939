"""Run a module or a file of tests in a process of its own, under the settings of another project."""

from __future__ import annotations

import os
import subprocess
import sys

LONGEST = 300
"""Seconds after which a process is taken to hang: it needs a few, and more on a machine that is busy."""


def run_module(module: str, settings: str, *arguments: str, **environment: str) -> str:
    """Return what the module prints; its warnings are errors, and what it says on failure is shown.

    Its database is its own, in memory, because none was created for it on a server.
    """
    command = [sys.executable, "-W", "error", "-m", module, *arguments]
    environment = {**os.environ, "DATABASE_URL": "sqlite://", "DJANGO_SETTINGS_MODULE": settings, **environment}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False)
    if finished.returncode:
        raise AssertionError(f"{module} under {settings}:\n{finished.stdout}\n{finished.stderr}")
    return finished.stdout


def run_tests(path: str, settings: str, *, expected: str) -> None:
    """Run a file of tests with pytest-django and no other plugin: to import the others takes longer than the tests."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_django.plugin", "-p", "no:cacheprovider"]
    finished = subprocess.run(
        [*command, "--create-db", f"--ds={settings}", path],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert expected in finished.stdout
