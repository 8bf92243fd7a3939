"""A guide prints the settings that are played, and no guide is published for a shape that nobody confirmed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rest_framework.views import APIView

from django_introspection import token_backends
from tests.servers import shapes
from tests.test_documentation import Block, blocks

DOCS = Path(__file__).resolve().parents[2] / "docs"
OTHER_PAGES = {"index", "matrix"}
GUIDES = sorted({path.stem for path in (DOCS / "servers").glob("*.rst")} - OTHER_PAGES)
Backends = dict[str, dict[str, Any]]


class FromEnvironment(str):
    """A value that a guide takes from the environment."""

    __slots__ = ()


class Environment(dict[str, str]):
    """An environment in which every variable is set."""

    def __missing__(self, name: str) -> str:
        return FromEnvironment(f"value-of-{name}")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", Environment(os.environ))


def printed(guide: str) -> list[Backends]:
    """Return BACKENDS of each block of settings on a page."""
    found = []
    for block in blocks(f"docs/servers/{guide}.rst"):
        names: dict[str, Any] = {"os": os}
        if block.file == "settings.py":
            exec(block.code, names)  # noqa: S102
            found.append(names["TOKEN_INTROSPECTION"]["BACKENDS"])
    return found


def is_same(guide: Any, data: Any) -> bool:
    if isinstance(guide, FromEnvironment):
        return isinstance(data, str)
    if isinstance(guide, Mapping) and isinstance(data, Mapping):
        return guide.keys() == data.keys() and all(is_same(guide[name], data[name]) for name in guide)
    return type(guide) is type(data) and bool(guide == data)


def played(backend: Mapping[str, Any], server: str) -> list[str]:
    """Return the setups of a server that are these OPTIONS of this backend."""
    options = {name: value for name, value in backend["OPTIONS"].items() if name != "then_ask"}
    return [
        setup.name
        for setup in shapes.load(server).setups
        if backend["BACKEND"] == f"django_introspection.backends.{setup.backend}" and is_same(options, setup.options)
    ]


def view_in(block: Block) -> type[APIView]:
    """Return the view of a block, made as in a project that copies it."""
    names: dict[str, Any] = {"__name__": "orders.views"}
    exec(block.code, names)  # noqa: S102
    view: type[APIView] = names["OrderList"]
    return view


@pytest.mark.parametrize("name", shapes.names())
def test_the_guide_of_a_server_is_there(name: str) -> None:
    guide = shapes.load(name).guide

    assert guide is None or guide in GUIDES


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_prints_the_settings_that_are_played(guide: str, environment: None) -> None:
    (server,) = [name for name in shapes.names() if shapes.load(name).guide == guide]
    aliases = [(alias, each) for backends in printed(guide) for alias, each in backends.items()]

    found = [(alias, played(each, server)) for alias, each in aliases if "RoutingBackend" not in each["BACKEND"]]

    assert [alias for alias, setups in found if not setups] == []
    assert {name for _, setups in found for name in setups} == {s.name for s in shapes.load(server).setups}


@pytest.mark.parametrize("guide", GUIDES)
def test_the_settings_of_a_guide_are_good(guide: str, environment: None, settings: Any) -> None:
    for backends in printed(guide):
        settings.TOKEN_INTROSPECTION = {"BACKENDS": backends}
        for alias in backends:
            assert token_backends[alias].alias == alias
        token_backends.close()


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_is_published_for_a_confirmed_shape_alone(guide: str) -> None:
    (server,) = [name for name in shapes.names() if shapes.load(name).guide == guide]

    confirmed = [token for token in shapes.load(server).tokens if token.kind == "access" and token.confirmed]

    assert [token.name for token in confirmed if 200 in token.expect.values()]


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_cites_the_sources_of_its_data(guide: str) -> None:
    (server,) = [name for name in shapes.names() if shapes.load(name).guide == guide]
    text = (DOCS / "servers" / f"{guide}.rst").read_text(encoding="utf-8")

    assert [source["page"] for source in shapes.load(server).sources.values() if source["page"] in text]


def test_the_index_lists_every_guide() -> None:
    index = (DOCS / "servers" / "index.rst").read_text(encoding="utf-8")

    assert [guide for guide in GUIDES if f":doc:`{guide}`" not in index and f"<{guide}>`" not in index] == []


@pytest.mark.parametrize("guide", GUIDES)
def test_the_code_of_a_guide_is_settings_and_whole_views(guide: str) -> None:
    for block in blocks(f"docs/servers/{guide}.rst"):
        if block.file == "views.py":
            assert issubclass(view_in(block), APIView)
        else:
            assert block.file in ("settings.py", "the settings of the server")


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_names_what_its_view_requires_among_the_steps_on_the_server(guide: str) -> None:
    steps, _, rest = (DOCS / "servers" / f"{guide}.rst").read_text(encoding="utf-8").partition("\nSettings\n---")
    (line, *_) = [line for line in rest.splitlines() if "permission_classes" in line]

    required = re.findall(r'requires_(?:scope|claim)\(.*?"([^"]+)"\)', line)

    assert required
    assert [each for each in required if each not in steps] == []
