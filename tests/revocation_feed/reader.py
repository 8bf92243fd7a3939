"""A reader of the feed that keeps what it hears, as a resource server does."""

from __future__ import annotations

import base64
from typing import Any

from tests import endpoints

PATH = "/oauth/revocations"


def identity(token: Any) -> bytes:
    """Return what the feed says of a token."""
    return bytes(token.digest)[:8]


class Reader:
    """Read on from the last cursor; `ended` is what has ended and did not return, `heard` all in its order."""

    def __init__(self, caller: Any) -> None:
        self._auth = (caller.client, caller.secret)
        self.cursor: str | None = None
        self.ended: set[bytes] = set()
        self.heard: list[tuple[bytes, bool]] = []
        self.restarts = 0

    def page(self, **parameters: Any) -> dict[str, Any]:
        """Read one page."""
        form = {**({} if self.cursor is None else {"after": self.cursor}), **parameters}
        response = endpoints.post(PATH, form, auth=self._auth)
        assert response.status_code == 200, response.content
        page: dict[str, Any] = response.json()
        self.cursor = page["cursor"]
        self.restarts += page["restart"]
        for name, *expiry in page["changes"]:
            value = base64.urlsafe_b64decode(name + "=")
            self.heard.append((value, bool(expiry)))
            (self.ended.add if expiry else self.ended.discard)(value)
        return page

    def read(self) -> set[bytes]:
        """Read until there is no more, and return what has ended."""
        while self.page()["more"]:
            pass
        return self.ended
