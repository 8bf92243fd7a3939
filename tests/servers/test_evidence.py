"""The evidence in answers about tokens of another kind, and the page that says where there is none."""

from __future__ import annotations

from pathlib import Path

from django_introspection.protocol.token_info import TokenInfo
from tests.servers import shapes

PAGE = Path(__file__).parents[2] / "docs" / "remote-backend.rst"
UNMARKED = {
    "authelia": "Authelia",
    "logto": "Logto",
    "oidc_provider": "node oidc-provider",
    "okta": "Okta",
    "ping": "PingFederate",
}
"""The servers whose answer about a refresh token does not name its kind, as the page calls them."""


def test_the_page_names_every_server_that_describes_another_kind_of_token_without_evidence() -> None:
    unmarked = {
        name
        for name in shapes.names()
        for token in shapes.load(name).tokens
        if token.kind != "access" and _opens(token)
    }

    assert unmarked == UNMARKED.keys()
    section = PAGE.read_text().partition(".. _token-kind:")[2].partition("When the server is away")[0]
    assert [title for title in UNMARKED.values() if title not in section] == []


def _opens(token: shapes.Token) -> bool:
    """Return whether an answer is active and names no other kind of token."""
    body = (token.answer or {}).get("body")
    is_active = isinstance(body, dict) and body.get("active") is True
    return is_active and TokenInfo(body).is_access_token is not False
