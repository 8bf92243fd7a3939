"""A new project that follows the quick start and one guide, and nothing else, accepts a token of a machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.servers import shapes
from tests.servers.fake import FakeServer
from tests.servers.playing import issue
from tests.servers.shapes import Server
from tests.servers.test_guides import GUIDES, FromEnvironment, environment, printed
from tests.servers.test_views import callers, server_of, setup_of
from tests.test_documentation import Block, blocks, project, run

__all__ = ["environment"]
pytestmark = pytest.mark.processes

QUICK_START = "docs/quickstart-resource-server.rst"
CONNECTION = """
for each in TOKEN_INTROSPECTION["BACKENDS"].values():
    each["OPTIONS"] |= {connection}
"""
STORY = """
import os
expect(orders(), 401)
expect(orders("unknown"), 401)
expect(orders(os.environ["TOKEN"]), 200)
call_command("introspection_doctor")
assert "django_introspection.models" not in sys.modules
"""


def first(page: str, file: str) -> Block:
    return next(block for block in blocks(page) if block.file == file)


def quick_start(file: str) -> list[Block]:
    return [block for block in blocks(QUICK_START) if block.file == file]


def connection(fake: FakeServer) -> Block:
    return Block("settings.py", CONNECTION.format(connection=fake.connection))


def variables(backend: Mapping[str, Any], server: Server) -> dict[str, str]:
    """Return the environment in which the settings of a backend are those that are played."""
    options = setup_of(backend, server).options
    taken = {name: value for name, value in backend["OPTIONS"].items() if isinstance(value, FromEnvironment)}
    return {value.removeprefix("value-of-"): options[name] for name, value in taken.items()}


@pytest.mark.parametrize("guide", GUIDES)
def test_a_newcomer_gets_200(guide: str, fake: FakeServer, tmp_path: Path, environment: None) -> None:
    server, backends, page = server_of(guide), printed(guide)[0], f"docs/servers/{guide}.rst"
    token = callers(guide, setup_of(backends["default"], server))[0]
    fake.play(server)
    settings = [*quick_start("settings.py"), first(page, "settings.py"), connection(fake)]
    values = {"ORDERS_API_ID": "", "ORDERS_API_SECRET": ""}
    for backend in backends.values():
        values |= variables(backend, server)

    made = project(tmp_path, [*settings, first(page, "views.py"), *quick_start("urls.py")])
    run(made, STORY, TOKEN=issue(fake, token), **values)


def test_the_issuer_and_the_audience_are_enough_for_the_quick_start(fake: FakeServer, tmp_path: Path) -> None:
    """Authelia has the issuer, the audience and the scope of the page."""
    server = shapes.load("authelia")
    fake.play(server)
    settings, views, urls = (first(QUICK_START, file) for file in ("settings.py", "views.py", "urls.py"))

    made = project(tmp_path, [settings, connection(fake), views, urls])
    run(made, STORY, TOKEN=issue(fake, server.token("machine")))
