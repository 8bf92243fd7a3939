"""A new project that follows the quick start and one guide, and nothing else, accepts a token of that server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.servers import shapes
from tests.servers.fake import FakeServer
from tests.servers.playing import issue
from tests.servers.shapes import Server, Setup
from tests.servers.test_guides import GUIDES, FromEnvironment, environment, played, printed
from tests.test_documentation import Block, blocks, project, run

__all__ = ["environment"]
pytestmark = pytest.mark.processes

QUICK_START = {"settings.py", "views.py", "urls.py"}
CONNECTION = """
for each in TOKEN_INTROSPECTION["BACKENDS"].values():
    each["OPTIONS"] |= {connection}
"""
ANY_SCOPE = """
from rest_framework.permissions import IsAuthenticated

OrderList.permission_classes = [IsAuthenticated]
"""
STORY = """
import os
expect(orders(), 401)
expect(orders("unknown"), 401)
expect(orders(os.environ["TOKEN"]), 200)
call_command("introspection_doctor")
assert "django_introspection.models" not in sys.modules
"""


def variables(backend: Mapping[str, Any], server: Server) -> dict[str, str]:
    """Return the environment in which the settings of a backend are those that are played."""
    options = setup_of(backend, server).options
    taken = {name: value for name, value in backend["OPTIONS"].items() if isinstance(value, FromEnvironment)}
    return {value.removeprefix("value-of-"): options[name] for name, value in taken.items()}


def setup_of(backend: Mapping[str, Any], server: Server) -> Setup:
    (name, *_) = played(backend, server.name)
    return next(setup for setup in server.setups if setup.name == name)


def server_of(guide: str) -> Server:
    (name,) = [name for name in shapes.names() if shapes.load(name).guide == guide]
    return shapes.load(name)


@pytest.mark.parametrize("guide", GUIDES)
def test_a_newcomer_gets_200(guide: str, fake: FakeServer, tmp_path: Path, environment: None) -> None:
    server, backends = server_of(guide), printed(guide)[0]
    setup = setup_of(backends["default"], server)
    token = next(each for each in server.tokens if each.expect[setup.name] == 200 and each.confirmed)
    fake.play(server)
    steps = [block for block in blocks("docs/quickstart-resource-server.rst") if block.file in QUICK_START]
    settings = next(block for block in blocks(f"docs/servers/{guide}.rst") if block.file == "settings.py")
    ours = [
        Block("settings.py", CONNECTION.format(connection=fake.connection)),
        Block("views.py", ANY_SCOPE),
    ]
    values = {"ORDERS_API_ID": "", "ORDERS_API_SECRET": ""}
    for backend in backends.values():
        values |= variables(backend, server)

    run(project(tmp_path, [*steps, settings, *ours]), STORY, TOKEN=issue(fake, token), **values)
