"""Peers as processes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NODE = Path(__file__).with_name("node")


def drive(script: str, environment: dict[str, str]) -> Any:
    """Run a Node script to its end and return the JSON that it prints."""
    finished = subprocess.run(
        ["node", script],
        cwd=NODE,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return json.loads(finished.stdout)


@contextlib.contextmanager
def served(command: list[str], environment: dict[str, str], cwd: Path | None = None) -> Iterator[str]:
    """Run a server that prints its address when it listens and ends with its standard input."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            for line in process.stdout:
                if line.startswith("http"):
                    yield line.strip()
                    return
            raise AssertionError(process.stderr.read())
        finally:
            process.stdin.close()
