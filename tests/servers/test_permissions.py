"""The roles and scopes of every shape open views in the one line that the guides print."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
from rest_framework.permissions import BasePermission

from django_introspection.permissions import requires_claim, requires_scope
from tests.resource_server.protected import ask, protect
from tests.servers import shapes
from tests.servers.fake import FakeServer
from tests.servers.playing import issue, must_read, use
from tests.servers.shapes import Setup
from tests.servers.test_guides import DOCS, GUIDES

SETUPS = [setup for name in shapes.names() for setup in shapes.load(name).setups]

LINE = re.compile(r"requires_claim\(([^)]+)\)")
"""The line by which a guide lets a role open a view."""

every_setup = pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: f"{setup.server} {setup.name}")


def statuses(value: str, permissions: list[Any]) -> list[int]:
    return [ask(protect(permission_classes=[each]), value).status_code for each in permissions]


@every_setup
def test_a_role_opens_the_views_that_require_it_and_no_other(setup: Setup, fake: FakeServer, settings: Any) -> None:
    server = shapes.load(setup.server)
    fake.play(server)
    use(settings, fake, setup)
    wrong: list[tuple[str, Any, list[int]]] = []

    for token in server.tokens:
        for role in must_read(token, setup)["roles"] if token.expect[setup.name] == 200 else ():
            (one, *_), path = role["values"], role["path"]
            required = [requires_claim(path, one), requires_claim(path, "nobody", *role["values"])]
            lacking = [
                requires_claim(path, one + "s"),
                requires_claim(path, one[:-1]),
                requires_claim(["no", *path], one),
            ]
            found = statuses(issue(fake, token), [*required, *lacking])
            if found != [200, 200, 403, 403, 403]:
                wrong.append((token.name, role, found))

    assert wrong == []


@every_setup
def test_a_scope_opens_the_views_that_require_it_and_no_other(setup: Setup, fake: FakeServer, settings: Any) -> None:
    server = shapes.load(setup.server)
    fake.play(server)
    use(settings, fake, setup)
    wrong: list[tuple[str, list[int]]] = []

    for token in server.tokens:
        if token.expect[setup.name] == 200:
            scopes = sorted(must_read(token, setup)["scopes"])
            found = statuses(issue(fake, token), [*map(requires_scope, scopes), requires_scope("orders:everything")])
            if found != [200] * len(scopes) + [403]:
                wrong.append((token.name, found))

    assert wrong == []


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_requires_roles_that_are_played(guide: str) -> None:
    servers = [shapes.load(name) for name in shapes.names()]
    tokens = [token for server in servers if server.guide == guide for token in server.tokens]
    roles = [
        role
        for token in tokens
        for reads in [token.reads or {}, *(token.reads_in or {}).values()]
        for role in reads.get("roles", ())
    ]
    played = {(tuple(role["path"]), value) for role in roles for value in role["values"]}

    lines = [ast.literal_eval(f"({each},)") for each in LINE.findall((DOCS / "servers" / f"{guide}.rst").read_text())]
    required = {
        ((name,) if isinstance(name, str) else tuple(name), value) for name, *values in lines for value in values
    }

    assert all(issubclass(requires_claim(*line), BasePermission) for line in lines)
    assert required <= played
