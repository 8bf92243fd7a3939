from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.fake import FakeServer


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeServer]:
    """One server for the tests of a module; each test chooses the file that it plays."""
    directory: Path = tmp_path_factory.mktemp("servers")
    with FakeServer(directory) as server:
        yield server
