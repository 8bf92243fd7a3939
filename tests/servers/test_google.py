"""No setting makes an access token of an ID token of Google, also if it names this API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers import shapes
from tests.servers.fake import FakeServer
from tests.servers.playing import issue, status, use
from tests.servers.shapes import Setup, Token

GOOGLE = shapes.load("google")


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("token", [each for each in GOOGLE.tokens if each.claims], ids=lambda token: token.name)
def test_a_token_of_google_opens_no_view(token: Token, strict: bool, fake: FakeServer, settings: Any) -> None:
    assert token.claims is not None
    options = {"issuer": GOOGLE.issuers[0]["issuer"], "audience": token.claims["aud"], "require_at_jwt": False}
    fake.play(GOOGLE)
    use(settings, fake, Setup("google", "jwt", options), strict=strict)

    assert status(issue(fake, token)) == 401
    assert status(issue(fake, token, nonce=None, at_hash=None)) == 401
