"""The access token that authorizes this resource server to ask, if it uses one (RFC 7662 §2.1)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..protocol.errors import CredentialsRefused, IntrospectionUnavailable, InvalidResponse
from ..protocol.strict_json import parse_json_object
from .client_authentication import Authorization, BearerToken, ClientAuthentication
from .renewal import Fetched, Renewable
from .steps import Steps
from .transport import Reply, Request, Transport

MARGIN = 30
"""Seconds before its end at which a token is renewed."""
RETRY = 5
"""Seconds between two tries to fetch the first token."""
REPLACE_EVERY = 60
"""Seconds between two replacements of a token that the server has refused: the fault may be the server's own."""
_DEFAULT_LIFETIME = 300


class ServiceToken(Authorization):
    """Fetch a token with the grant client_credentials (RFC 6749 §4.4), and a new one before it ends."""

    def __init__(
        self,
        transport: Transport,
        endpoint: Callable[[], Steps[str]],
        authentication: ClientAuthentication,
        scope: str | None,
    ) -> None:
        self._transport, self._endpoint, self._authentication, self._scope = transport, endpoint, authentication, scope
        self._token = Renewable("service token", self._fetch, retry=RETRY, replace_every=REPLACE_EVERY)

    @property
    def caller(self) -> tuple[str, ...]:
        """Return the client that the token is for, and its scope."""
        return ("service token", self._scope or "", *self._authentication.caller)

    def current(self) -> Steps[ClientAuthentication]:
        """Return the token, fetched if there is none that can be used; raise IntrospectionUnavailable."""
        return (yield from self._token.get())

    def other_than(self, refused: ClientAuthentication) -> Steps[ClientAuthentication | None]:
        """Return another token than the server has refused, None if there is none to be had.

        The refused one stays until there is another: the server may have refused one question only.
        """
        try:
            return (yield from self._token.get(lambda token: token is not refused))
        except IntrospectionUnavailable:
            return None

    def _fetch(self) -> Steps[Fetched[BearerToken]]:
        endpoint = yield from self._endpoint()
        reply = yield from self._transport.exchange(partial(self._request, endpoint))
        token, lifetime = read_token(reply)
        return Fetched(token, max(lifetime - MARGIN, lifetime / 2), lifetime)

    def _request(self, endpoint: str) -> Request:
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        credentials = self._authentication.credentials()
        return Request.post(endpoint, {**form, **credentials.form}, credentials.headers)


def read_token(reply: Reply) -> tuple[BearerToken, float]:
    """Return the token of a token response, and its life in seconds (RFC 6749 §5.1)."""
    if reply.status in (400, 401, 403):
        raise CredentialsRefused(f"the token endpoint refuses this resource server: {reply.status}")
    if reply.status != 200:
        raise IntrospectionUnavailable(f"the token endpoint answers {reply.status}")
    try:
        members = parse_json_object(reply.body)
    except ValueError as problem:
        raise InvalidResponse(f"the token response {problem}") from None
    value, token_type, lifetime = (members.get(name) for name in ("access_token", "token_type", "expires_in"))
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value or not value:
        raise InvalidResponse("the token response has no access token")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise InvalidResponse("the token response has no bearer token")
    if lifetime is None:
        lifetime = _DEFAULT_LIFETIME
    if isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)) or lifetime <= 0:
        raise InvalidResponse("the token response has no positive expires_in")
    return BearerToken(value), float(lifetime)
