"""A resource server that has `rest_framework` and our app without tables, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.misbehaving.behaviours import BEHAVIOURS, Exchange, behaviour
from tests.misbehaving.server import MisbehavingServer
from tests.projects.run import run_module

from .settings import AUDIENCE

pytestmark = pytest.mark.processes

PROJECT = __package__


@behaviour("answers by the token")
def answers_by_the_token(exchange: Exchange, server: MisbehavingServer) -> None:
    token = server.requests[-1].form["token"][0]
    if token == "broken":
        BEHAVIOURS["status 500"](exchange)
    elif token == "bad":
        BEHAVIOURS["inactive"](exchange)
    else:
        BEHAVIOURS["active"](exchange, sub="42", username="anna", aud=AUDIENCE, scope=f"orders:{token}")


def ask(*tokens: str) -> list[dict[str, Any]]:
    with MisbehavingServer("answers by the token", server=None) as server:
        server.behave("answers by the token", server=server)
        lines = run_module(f"{PROJECT}.asking", f"{PROJECT}.settings", *tokens, INTROSPECTION_URL=server.url)
    return [json.loads(line) for line in lines.splitlines()]


@pytest.mark.requirement("6749-7-a")
def test_it_passes_its_checks_protects_a_view_and_explains_a_refusal() -> None:
    good, none, bad, weak, broken = ask("read", "", "bad", "write", "broken")

    assert good["status"] == 200
    assert good["body"] == {"user": "TokenUser", "name": "anna", "sub": "42"}
    assert (none["status"], none["challenge"]) == (401, 'Bearer realm="api", scope="orders:read"')
    assert bad["status"] == 401
    assert 'error="invalid_token"' in bad["challenge"]
    assert weak["status"] == 403
    assert 'error="insufficient_scope"' in weak["challenge"]
    assert 'scope="orders:read"' in weak["challenge"]
    assert (broken["status"], broken["challenge"]) == (503, None)
    assert int(broken["wait"]) > 0

    active, code = good["inspected"]
    assert (active["active"], active["sub"], code) == (True, "42", 0)
    assert bad["inspected"] == [
        {
            "active": False,
            "reason": "the authorization server says inactive",
            "asked": ["backend default: the authorization server says inactive"],
        },
        4,
    ]
    refused, code = weak["inspected"]
    assert (refused["reason"], refused["found"], code) == ("insufficient scope", "scope 'orders:write'", 4)
    assert broken["inspected"] == [None, 3]


def test_its_checks_are_silent() -> None:
    assert run_module(f"{PROJECT}.checking", f"{PROJECT}.settings") == ""


def test_forgetting_the_anonymous_user_is_said_by_a_check() -> None:
    assert run_module(f"{PROJECT}.checking", f"{PROJECT}.without_anonymous").split() == ["introspection.E004"]


def test_the_admin_of_streams_needs_no_tables_of_tokens() -> None:
    printed = run_module("django", f"{PROJECT}.events_settings", "check")

    assert "no issues" in printed
