"""`python -m tests.servers NAME` prints what a person needs to try a guide."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers import shapes
from tests.servers.__main__ import lines
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

    assert [status(value) for value in values] == [token.expect[setup.name] for token in server.tokens]
    assert all(value in "\n".join(printed) for value in fake.connection.values())
