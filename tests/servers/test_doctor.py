"""The doctor finds nothing wrong with the settings of a guide, and names wrong credentials."""

from __future__ import annotations

from typing import Any

import pytest

from django_introspection import token_backends
from tests.servers import shapes
from tests.servers.fake import FakeServer
from tests.servers.playing import use
from tests.servers.shapes import Setup

SETUPS = [setup for name in shapes.names() for setup in shapes.load(name).setups]


def refuses_its_callers(setup: Setup) -> bool:
    """Return whether the server refuses a wrong secret; authentik reports every token as inactive instead."""
    ends = [issuer["introspection"] for issuer in shapes.load(setup.server).issuers if issuer["introspection"]]
    refusals = [end["wrong_credentials"] for end in ends]
    return "client_secret" in setup.options and all(refusal and refusal["status"] != 200 for refusal in refusals)


def name_of(setup: Setup) -> str:
    return f"{setup.server} {setup.name}"


def errors(fake: FakeServer, settings: Any, setup: Setup, **changes: Any) -> list[str]:
    fake.play(shapes.load(setup.server))
    use(settings, fake, setup, **changes)
    findings = list(token_backends["default"].diagnose())

    assert findings[0].what == f"the proxy {fake.connection['proxy'].removeprefix('http://')} takes connections"
    return [finding.what for finding in findings if finding.severity == "error"]


@pytest.mark.parametrize("setup", SETUPS, ids=name_of)
def test_the_settings_of_a_guide_have_no_errors(setup: Setup, fake: FakeServer, settings: Any) -> None:
    assert errors(fake, settings, setup) == []


@pytest.mark.parametrize("setup", list(filter(refuses_its_callers, SETUPS)), ids=name_of)
def test_a_wrong_secret_is_named(setup: Setup, fake: FakeServer, settings: Any) -> None:
    (error,) = errors(fake, settings, setup, client_secret="a-secret-that-is-wrong")

    assert "refuses" in error
    assert "a-secret-that-is-wrong" not in error


def test_the_doctor_does_not_praise_credentials_that_authentik_hides(fake: FakeServer, settings: Any) -> None:
    """authentik answers alike to right and wrong credentials."""
    (setup,) = shapes.load("authentik").setups
    fake.play(shapes.load("authentik"))
    said = []
    for changes in ({}, {"client_secret": "a-secret-that-is-wrong"}):
        use(settings, fake, setup, **changes)
        said.append([finding.what for finding in token_backends["default"].diagnose()][1])

    assert said == ["the question is not refused, and a random token is inactive"] * 2
