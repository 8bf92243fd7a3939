"""Run a module in a process of its own, under the settings of another project."""

from __future__ import annotations

import os
import subprocess
import sys


def run_module(module: str, settings: str, *arguments: str, **environment: str) -> str:
    """Return what the module prints; its warnings are errors, and what it says on failure is shown.

    Its database is its own, in memory: nobody made one for it on a server.
    """
    command = [sys.executable, "-W", "error", "-m", module, *arguments]
    environment = {**os.environ, "DATABASE_URL": "sqlite://", "DJANGO_SETTINGS_MODULE": settings, **environment}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if finished.returncode:
        raise AssertionError(f"{module} under {settings}:\n{finished.stdout}\n{finished.stderr}")
    return finished.stdout
