"""Services in a project without tables, and in a process that was forked."""

from __future__ import annotations

import os
from typing import Any

import pytest

from django_introspection.services import service_token
from django_introspection.services.registry import services
from tests.misbehaving.server import MisbehavingServer
from tests.projects.run import run_module

from .conftest import ALIAS, TOKEN_PATH


@pytest.mark.processes
def test_a_project_without_tables_gets_tokens_and_each_process_its_own(token_server: MisbehavingServer) -> None:
    token_server.behave("issues tokens", at=TOKEN_PATH, issued=[])

    said = run_module(
        "tests.projects.resource_only.calling",
        "tests.projects.resource_only.settings",
        TOKEN_URL=token_server.origin + TOKEN_PATH,
    )

    assert said.splitlines() == [
        "child: service-token-1",
        "parent: service-token-0 service-token-0",
        "models: []",
    ]
    assert token_server.connections == 2


def test_a_fork_that_python_does_not_see_starts_anew(
    issued: list[str], token_server: MisbehavingServer, monkeypatch: Any
) -> None:
    service_token(ALIAS)
    service = services[ALIAS]
    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert service_token(ALIAS).value == issued[1]
    assert token_server.connections == 2
    service.close()
