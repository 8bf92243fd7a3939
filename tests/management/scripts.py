"""Commands as a script runs them: processes of their own, in a project with a database of its own."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.management import ManagementUtility

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Project:
    """A directory with a database; `manage.py` is on the PATH of its shell."""

    directory: Path

    @property
    def database(self) -> Path:
        return self.directory / "database"

    def environment(self, **variables: str) -> dict[str, str]:
        tools = self.directory / "bin"
        tools.mkdir(exist_ok=True)
        program = tools / "manage.py"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -W error -m django "$@"\n')
        program.chmod(0o700)
        return {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": f"sqlite:///{self.database}",
            "CACHE_DIR": str(self.directory / "cache"),
            "DJANGO_SETTINGS_MODULE": "tests.projects.commands",
            **variables,
        }

    def run(self, line: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell without a terminal."""
        return subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self.directory,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start a command and leave it running, its standard input open."""
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "django", *arguments],
            cwd=self.directory,
            env=self.environment(**variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def run_here(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line without redirections in this process, on the database of the test, as `manage.py` would."""
    program, *arguments = shlex.split(line)
    utility = ManagementUtility([program, *arguments])
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with redirect_stdout(out), redirect_stderr(err), mock.patch("django.core.management.base.connections"):
        try:
            utility.fetch_command(arguments[0]).run_from_argv(utility.argv)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return subprocess.CompletedProcess(line, code, out.getvalue(), err.getvalue())


def succeeded(finished: subprocess.CompletedProcess[str]) -> Any:
    """Return what a command printed, which must have succeeded."""
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout
