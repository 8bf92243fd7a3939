"""The two roles as real processes that talk HTTP."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from example_project.demo import served
from example_project.story import Demo, Story, UnexpectedAnswerError
from example_project.transcript import Transcript

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parents[1]


def test_the_demo_plays_the_whole_story_and_ends(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "example_project.demo"],
        cwd=ROOT,
        env={**os.environ, "EXAMPLE_DIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr
    statuses = [int(status) for status in re.findall(r"^    (\d{3}) ", finished.stdout, re.MULTILINE)]
    assert statuses == [200, 200, 200, 200, 403, 401, 200, 200, 401, 401]
    assert '"active": true' in finished.stdout
    assert '"active": false' in finished.stdout
    assert finished.stdout.count('error="invalid_token"') == 2
    assert not re.search(r"dit_\w{10,}", finished.stdout), "a value was printed whole"


def test_the_story_ends_at_the_first_unexpected_answer(tmp_path: Path) -> None:
    with served("authorization_server", EXAMPLE_DIR=str(tmp_path)) as address, httpx2.Client() as client:
        story = Story(Demo(address, address, "not a secret", "nor this"), client, Transcript(io.StringIO()))

        with pytest.raises(UnexpectedAnswerError, match="401 instead of 200"):
            story.play()


def test_a_role_that_cannot_start_is_told_with_its_error(tmp_path: Path) -> None:
    with (
        pytest.raises(SystemExit, match="client_secret"),
        served("resource_server", EXAMPLE_DIR=str(tmp_path), ORDERS_API_CLIENT_SECRET=""),
    ):
        pass
