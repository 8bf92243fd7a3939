"""What the doctor finds about a feed of revocations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from django_introspection import token_backends
from tests.misbehaving.server import MisbehavingServer
from tests.settings import AUDIENCE

from .feed_server import FeedServer
from .issuers import jwt_settings, public, publish


@pytest.fixture
def server(settings: Any) -> Iterator[FeedServer]:
    with FeedServer() as server:
        settings.TOKEN_INTROSPECTION = server.settings()
        yield server


def found(alias: str = "default") -> list[str]:
    return [f"{finding.severity} {finding.what}" for finding in token_backends[alias].diagnose()]


def test_a_feed_that_works(server: FeedServer) -> None:
    server.page_size = 2
    for name in "abc":
        server.end(name)

    text = "\n".join(found())

    assert "ok the feed of revocations names 3 tokens, read in " in text
    assert "ok the clock of this machine is not behind that of the feed" in text
    assert "ok a revocation arrives at once: requests may wait there, and one takes " in text
    assert "ok if the feed fails, kept answers are used for 2 s at most" in text
    feed = token_backends["default"].feed
    assert feed is not None
    assert not feed.is_fresh
    assert feed._thread is None


def test_a_server_that_lets_no_request_wait(server: FeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = server._page

    def without_room(form: Any) -> Any:
        status, page, headers = whole({name: value for name, value in form.items() if name != "wait"})
        return status, {**page, "pause": 1}, headers

    monkeypatch.setattr(server, "_page", without_room)

    assert "warning a revocation arrives within 1 s: no request may wait there" in found()


def test_a_feed_that_is_not_there(server: FeedServer) -> None:
    server.fault = lambda: (404, None, {})

    assert any(line.startswith("error the feed of revocations cannot be read: ") for line in found())


def test_a_clock_that_is_behind(server: FeedServer) -> None:
    server.clock_ahead = 3600

    assert any("s behind that of the feed" in line and line.startswith("error") for line in found())


@pytest.mark.parametrize(("policy", "severity"), [("any", "ok"), ("audience", "ok"), ("own", "error")])
def test_a_feed_for_jwts_must_name_each_of_them(policy: str, severity: str, server: FeedServer, settings: Any) -> None:
    with MisbehavingServer() as keys:
        publish(keys, public())
        server.issuer, server.policy, server.resources = keys.origin, policy, [AUDIENCE]
        backends = server.settings()["BACKENDS"]
        own = {**jwt_settings(keys.origin), "REVOCATIONS": {"FEED": "asked"}}
        settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": own, "asked": backends["default"]}}

        assert found()[-1].startswith(f"{severity} the feed of 'asked' ")
        server.fault = lambda: (500, None, {})
        token_backends.close()
        assert found()[-1] == "warning the feed of 'asked' cannot be read"
