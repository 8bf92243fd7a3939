"""The tokens and grants that operations choose from."""

from __future__ import annotations

from collections import deque
from random import Random
from time import monotonic
from typing import Any

from .calling import Answer
from .oracle import Grant, KnownToken
from .site import REFRESH_TOKEN_IDLE, REFRESH_TOKEN_LIFETIME, SWITCHED, issues_jwt

RECENT = 150
"""Tokens that are mostly asked about: a resource server meets the same token again and again."""
MARGIN = 15
"""Seconds before its expiry in which nothing new is done with a token: a busy machine is slow."""


def known_token(answer: Answer, client_id: str, scopes: str, audience: str, grant: Grant | None = None) -> KnownToken:
    """Return the access token of a token response (RFC 6749 §5.1)."""
    seconds = answer.members["expires_in"]
    return KnownToken(
        answer.members["access_token"],
        issues_jwt(client_id),
        client_id,
        frozenset(scopes.split()),
        audience,
        answer.members.get("sub", client_id),
        # A server counts whole seconds.
        (answer.sent + seconds - 1, answer.received + seconds + 1),
        grant,
        answer.members.get("jti", ""),
    )


class Population:
    """Live tokens, those that ended, and grants."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.live: list[KnownToken] = []
        self.ended: deque[KnownToken] = deque(maxlen=500)
        self.grants: list[Grant] = []
        self.swept: dict[str, bool] = {}

    def add(self, answer: Answer, client_id: str, scopes: str, audience: str, grant: Grant | None = None) -> KnownToken:
        """Take the token of an answer."""
        token = known_token(answer, client_id, scopes, audience, grant)
        if grant is not None:
            grant.tokens.append(token)
        if self.swept.get(client_id):
            token.end.begun = answer.sent  # the command that revokes the client's tokens may have met it
        self.live.append(token)
        return token

    def add_grant(self, client_id: str, answer: Answer) -> Grant:
        ends = answer.sent + min(REFRESH_TOKEN_IDLE, REFRESH_TOKEN_LIFETIME) - 1
        grant = Grant(client_id, answer.members["refresh_token"], ends)
        self.grants.append(grant)
        return grant

    def sort(self) -> None:
        """Move tokens that are over, and forget grants that are."""
        now = monotonic()
        self.ended.extend(token for token in self.live if token.is_over(now))
        self.live = [token for token in self.live if not token.is_over(now)]
        self.grants = [grant for grant in self.grants if grant.ends > now or grant.is_busy]

    def any(self) -> KnownToken | None:
        """Return a token to ask about: mostly a recent one, sometimes one that ended."""
        if self.ended and self._random.random() < 0.2:
            return self._random.choice(self.ended)
        return self._choice(self.live[-RECENT:])

    def revocable(self) -> KnownToken | None:
        """Return a live token that nothing else happens to."""
        later = monotonic() + MARGIN
        return self._choice(
            [
                token
                for token in self.live[-4 * RECENT :]
                if token.is_untouched
                and token.expires[0] > later
                and token.client_id not in SWITCHED
                and not (token.grant and token.grant.is_busy)
            ]
        )

    def refreshable(self) -> Grant | None:
        later = monotonic() + MARGIN
        return self._choice(
            [
                grant
                for grant in self.grants[-RECENT:]
                if not grant.is_busy and grant.end.begun is None and grant.refresh_token and grant.ends > later
            ]
        )

    def _choice(self, values: list[Any]) -> Any:
        return self._random.choice(values) if values else None
