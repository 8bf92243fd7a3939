"""`python -m tests.servers NAME` prints what a person needs to try a guide."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import time_machine

from tests.servers import shapes
from tests.servers.__main__ import DAY, lines
from tests.servers.fake import FakeServer
from tests.servers.playing import status, use


@pytest.mark.parametrize("name", [name for name in shapes.names() if shapes.load(name).setups])
def test_the_printed_tokens_have_the_printed_statuses(name: str, fake: FakeServer, settings: Any) -> None:
    server = shapes.load(name)
    fake.play(server)
    printed = list(lines(fake, server))

    values = [line.splitlines()[2] for line in printed[-len(server.tokens) :]]
    setup = server.setups[0]
    use(settings, fake, setup)

    assert len({*values}) == len(values), "each shape is a token of its own"
    assert [status(value) for value in values] == [token.expect[setup.name] for token in server.tokens]
    assert all(value in "\n".join(printed) for value in fake.connection.values())


@pytest.mark.parametrize("name", [name for name in shapes.names() if shapes.load(name).setups])
def test_the_printed_tokens_live_for_a_day(name: str, fake: FakeServer, settings: Any) -> None:
    server = shapes.load(name)
    fake.play(server)
    values = [line.splitlines()[2] for line in list(lines(fake, server))[-len(server.tokens) :]]
    use(settings, fake, server.setups[0])
    accepted = [
        value for token, value in zip(server.tokens, values, strict=True) if token.expect[server.setups[0].name] == 200
    ]

    with time_machine.travel(time.time() + DAY - 60 * 60):
        assert [status(value) for value in accepted] == [200] * len(accepted)


@pytest.mark.processes
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_is_stopped_leaves_no_file(stop: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.servers", "kanidm"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        assert "is played" in process.stdout.readline()
        assert [*tmp_path.iterdir()]
        process.send_signal(stop)
        process.stdout.read()

    assert process.returncode == 0
    assert [*tmp_path.iterdir()] == []
