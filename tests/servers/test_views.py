"""The views of a guide, as it prints them, with its settings, against the server that is played."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.resource_server.protected import ask
from tests.servers import shapes
from tests.servers.fake import FakeServer
from tests.servers.playing import issue
from tests.servers.shapes import Server, Setup, Token
from tests.servers.test_guides import GUIDES, Backends, FromEnvironment, environment, played, printed, view_in
from tests.test_documentation import blocks

__all__ = ["environment"]


def server_of(guide: str) -> Server:
    (name,) = [name for name in shapes.names() if shapes.load(name).guide == guide]
    return shapes.load(name)


def setup_of(backend: Mapping[str, Any], server: Server) -> Setup:
    (name, *_) = played(backend, server.name)
    return next(setup for setup in server.setups if setup.name == name)


def views(guide: str) -> list[Any]:
    return [view_in(block) for block in blocks(f"docs/servers/{guide}.rst") if block.file == "views.py"]


def modes(guide: str) -> Iterator[tuple[Backends, str]]:
    """Yield each block of settings with each of its aliases."""
    return ((backends, alias) for backends in printed(guide) for alias in backends)


def follow(settings: Any, fake: FakeServer, guide: str, backends: Backends, alias: str) -> Setup:
    """Use the settings of a guide, with this alias as the default one; return the setup of the alias."""
    server = server_of(guide)
    fake.play(server)
    made: Backends = {}
    for name, backend in backends.items():
        real = setup_of(backend, server).options
        options = {
            option: real[option] if isinstance(value, FromEnvironment) else value
            for option, value in backend["OPTIONS"].items()
        }
        made[name] = {**backend, "OPTIONS": {**options, **fake.connection}}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {**made, "default": made[alias]}}
    return setup_of(backends[alias], server)


def callers(guide: str, setup: Setup) -> list[Token]:
    """Return the access tokens of machines that a setup accepts, those of people if there are none."""
    accepted = [token for token in server_of(guide).tokens if token.expect[setup.name] == 200]
    return [token for token in accepted if token.holder == "machine"] or accepted


def status(view: Any, value: str | None) -> int:
    return int(ask(view, value).status_code)


@pytest.mark.parametrize("guide", GUIDES)
def test_the_first_view_with_the_first_settings_opens_for_a_machine(
    guide: str, fake: FakeServer, settings: Any, environment: None
) -> None:
    view, backends = views(guide)[0], printed(guide)[0]
    setup = follow(settings, fake, guide, backends, "default")
    tokens = callers(guide, setup)

    assert {token.holder for token in tokens} == {"machine"}
    assert 200 in [status(view, issue(fake, token)) for token in tokens]
    assert status(view, None) == 401
    assert status(view, "unknown") == 401


@pytest.mark.parametrize("guide", GUIDES)
def test_every_settings_of_a_guide_open_one_of_its_views_for_a_machine(
    guide: str, fake: FakeServer, settings: Any, environment: None
) -> None:
    shut = []
    for backends, alias in modes(guide):
        setup = follow(settings, fake, guide, backends, alias)
        values = [issue(fake, token) for token in callers(guide, setup)]
        if 200 not in [status(view, value) for view in views(guide) for value in values]:
            shut.append(setup.name)

    assert shut == []


@pytest.mark.parametrize("guide", GUIDES)
def test_every_view_of_a_guide_opens_with_some_of_its_settings(
    guide: str, fake: FakeServer, settings: Any, environment: None
) -> None:
    open_to: list[bool] = []
    for view in views(guide):
        found = []
        for backends, alias in modes(guide):
            setup = follow(settings, fake, guide, backends, alias)
            accepted = [token for token in server_of(guide).tokens if token.expect[setup.name] == 200]
            found += [status(view, issue(fake, token)) for token in accepted]
        open_to.append(200 in found)

    assert all(open_to)
