"""Every token of every server against every mode: the status of a view, and what the view reads."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from django_introspection.signals import circuit_changed, credentials_refused
from tests.servers import shapes
from tests.servers.fake import FakeServer
from tests.servers.minting import sign
from tests.servers.playing import OTHER_API, issue, must_read, reads, renamed, status, strict_status, use
from tests.servers.plugin import PROPERTY
from tests.servers.shapes import Setup, Token

SETUPS = [setup for name in shapes.names() for setup in shapes.load(name).setups]
STRANGERS = 7
"""More questions than would open a circuit, if unknown tokens counted."""


def tokens_of(setup: Setup) -> tuple[Token, ...]:
    return shapes.load(setup.server).tokens


def accepted_by(setup: Setup) -> list[Token]:
    """Return the tokens of which the file says that a view with this setup is open; there is one at least."""
    return [token for token in tokens_of(setup) if token.expect[setup.name] == 200]


def issuer_of(setup: Setup) -> Any:
    """Return the issuer, as the file describes it, whose tokens a setup accepts."""
    name = accepted_by(setup)[0].issuer
    return next(each for each in shapes.load(setup.server).issuers if each["name"] == name)


def audience_of(setup: Setup) -> Any:
    audience = setup.options.get("audience")
    return audience[0] if isinstance(audience, list) else audience


def audience_claim_of(setup: Setup) -> str:
    return str(setup.options.get("audience_claim", "aud"))


every_setup = pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: f"{setup.server} {setup.name}")
remote_setups = pytest.mark.parametrize(
    "setup", [setup for setup in SETUPS if not setup.is_jwt], ids=lambda setup: f"{setup.server} {setup.name}"
)
both_variants = pytest.mark.parametrize("strict", [False, True], ids=["", "strict"])


@every_setup
@both_variants
def test_every_token_gets_its_status(
    setup: Setup, strict: bool, fake: FakeServer, settings: Any, record_property: Callable[[str, Any], None]
) -> None:
    fake.play(shapes.load(setup.server))
    use(settings, fake, setup, strict=strict)
    expected = {
        each.name: strict_status(setup, each) if strict else each.expect[setup.name] for each in tokens_of(setup)
    }

    found = {each.name: status(issue(fake, each)) for each in tokens_of(setup)}

    record_property(PROPERTY, [setup.server, setup.name, strict, found])
    assert found == expected


@every_setup
@pytest.mark.parametrize("variant", ["as printed", "strict", "lenient"])
def test_another_kind_of_token_never_passes_even_if_it_names_this_api(
    setup: Setup, variant: str, fake: FakeServer, settings: Any
) -> None:
    """Lenient is the mode for JWTs that do not follow RFC 9068, also for a server whose access tokens do."""
    fake.play(shapes.load(setup.server))
    lenient = {"require_at_jwt": False} if setup.is_jwt and variant == "lenient" else {}
    use(settings, fake, setup, strict=variant == "strict", **lenient)
    others = [token for token in tokens_of(setup) if token.kind != "access"]
    for_us = [renamed(token, audience_claim_of(setup), audience_of(setup)) for token in others]

    found = {each.name: status(issue(fake, each)) for each in for_us}

    assert found == dict.fromkeys(found, 401)


@every_setup
def test_a_view_reads_what_the_token_holds(setup: Setup, fake: FakeServer, settings: Any) -> None:
    fake.play(shapes.load(setup.server))
    use(settings, fake, setup)
    misread: list[tuple[str, str, Any, Any]] = []

    for token in accepted_by(setup):
        expected, found = must_read(token, setup), reads(issue(fake, token))
        misread += [(token.name, key, found[key], expected[key]) for key in found if found[key] != expected[key]]

    assert misread == []


def wrong_values(setup: Setup) -> list[str]:
    """Return what can be wrong with a token that is good for a setup."""
    names = ["exp", "signature"] if setup.is_jwt else ["exp"]
    names += ["aud"] if audience_of(setup) else []
    return [*names, "iss"] if "issuer" in setup.options else names


@pytest.mark.parametrize(
    ("setup", "wrong"),
    [
        pytest.param(setup, wrong, id=f"{setup.server} {setup.name} {wrong}")
        for setup in SETUPS
        for wrong in wrong_values(setup)
    ],
)
def test_a_good_shape_is_refused_for_one_wrong_value(setup: Setup, wrong: str, fake: FakeServer, settings: Any) -> None:
    fake.play(shapes.load(setup.server))
    use(settings, fake, setup)
    changes: dict[str, Any] = {
        "signature": {"key": "another"},
        "exp": {"exp": int(time.time()) - 3600},
        "aud": {audience_claim_of(setup): OTHER_API},
        "iss": {"iss": "https://evil.example.com"},
    }[wrong]

    found = {each.name: status(issue(fake, each, **changes)) for each in accepted_by(setup)}

    assert found == dict.fromkeys(found, 401)


@remote_setups
def test_unknown_tokens_are_refused_and_shut_no_door(setup: Setup, fake: FakeServer, settings: Any) -> None:
    fake.play(shapes.load(setup.server))
    use(settings, fake, setup)
    changes: list[bool] = []

    def circuit(is_open: bool, **_: Any) -> None:
        changes.append(is_open)

    circuit_changed.connect(circuit)
    try:
        opaque = [status(f"unknown-{number}") for number in range(STRANGERS)]
        jwts = [status(sign({"alg": "ES256"}, {"jti": str(number)})) for number in range(STRANGERS)]
        found = status(issue(fake, accepted_by(setup)[0]))
    finally:
        circuit_changed.disconnect(circuit)

    assert (opaque, jwts) == ([401] * STRANGERS, [401] * STRANGERS)
    assert found == 200
    assert changes == []


@pytest.mark.parametrize(
    "setup",
    [each for each in SETUPS if not each.is_jwt and issuer_of(each)["introspection"]["wrong_credentials"]],
    ids=lambda setup: f"{setup.server} {setup.name}",
)
def test_wrong_credentials_raise_the_alarm(
    setup: Setup, fake: FakeServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fake.play(shapes.load(setup.server))
    name = "bearer_token" if "bearer_token" in setup.options else "client_secret"
    use(settings, fake, setup, **{name: "a-secret-that-is-wrong"})
    alarms: list[str] = []

    def alarm(backend: str, **_: Any) -> None:
        alarms.append(backend)

    credentials_refused.connect(alarm)
    try:
        with caplog.at_level(logging.ERROR, "django_introspection"):
            found = status(issue(fake, accepted_by(setup)[0]))
    finally:
        credentials_refused.disconnect(alarm)

    # Some servers, such as authentik, hide the refusal.
    if issuer_of(setup)["introspection"]["wrong_credentials"]["status"] == 200:
        assert (found, alarms) == (401, [])
        return
    assert found == 503
    assert alarms == ["default"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "a-secret-that-is-wrong" not in caplog.text
