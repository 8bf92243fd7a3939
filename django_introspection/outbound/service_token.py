"""The access token of this project's own, by the grant client_credentials (RFC 6749 §4.4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from ..protocol.errors import IntrospectionUnavailable
from ..protocol.obtained_token import ObtainedToken
from .client_authentication import Authorization, BearerToken, ClientAuthentication, Sent
from .messages import Parameters, Reply, Request
from .renewal import Fetched, Renewable
from .steps import Steps
from .token_response import Issued, read_token
from .transport import Transport

MARGIN = 30
"""Seconds before its end at which a token is renewed."""
RETRY = 5
"""Seconds between two tries to fetch the first token."""
REPLACE_EVERY = 60
"""Seconds between two replacements of a token that the server has refused: the fault may be the server's own."""
_DEFAULT_LIFETIME = 300


class TokenEndpoint(NamedTuple):
    """The token endpoint of an authorization server, and how this project authenticates there."""

    transport: Transport
    url: Callable[[], Steps[str]]
    authentication: ClientAuthentication

    def ask(self, grant: Parameters) -> Steps[Reply]:
        """Send the parameters of a grant; raise IntrospectionUnavailable."""
        url = yield from self.url()
        return (yield from self.transport.exchange(partial(self.request, url, grant)))

    def request(self, url: str, grant: Parameters) -> Request:
        """Return a request with the parameters of a grant, for this one time: an assertion is valid once."""
        credentials = self.authentication.credentials()
        return Request.post(url, {**grant, **credentials.form}, credentials.headers)


class ServiceToken(Authorization):
    """Fetch a token with further parameters, such as `audience`, and a new one before it ends; `name` is for the log.

    It authorizes this resource server to introspect (RFC 7662 §2.1), or is for another API.
    """

    sends = Sent.TOKEN

    def __init__(
        self,
        endpoint: TokenEndpoint,
        scope: str | None,
        parameters: Parameters = MappingProxyType({}),
        *,
        name: str = "service token",
    ) -> None:
        self._endpoint, self._scope = endpoint, scope
        self._parameters = {
            "grant_type": "client_credentials",
            **({"scope": scope} if scope else {}),
            **parameters,
        }
        self._token = Renewable(name, self._fetch, retry=RETRY, replace_every=REPLACE_EVERY)

    @property
    def caller(self) -> tuple[str, ...]:
        """Return the client that the token is for, and its scope."""
        return ("service token", self._scope or "", *self._endpoint.authentication.caller)

    def current(self) -> Steps[ClientAuthentication]:
        """Return the token, fetched if there is none that can be used; raise IntrospectionUnavailable."""
        return BearerToken((yield from self.get()).value)

    def other_than(self, refused: ClientAuthentication) -> Steps[ClientAuthentication | None]:
        """Return another token than the server has refused, None if there is none to be had.

        The refused one stays until there is another: the server may have refused one question only.
        """
        try:
            token = yield from self._token.get(lambda token: BearerToken(token.value).caller != refused.caller)
        except IntrospectionUnavailable:
            return None
        return BearerToken(token.value)

    def get(self, other_than: ObtainedToken | None = None) -> Steps[ObtainedToken]:
        """Return the token, another one than an API has refused if it is given; raise IntrospectionUnavailable."""
        if other_than is None:
            return (yield from self._token.get())
        return (yield from self._token.get(lambda token: token.value != other_than.value))

    def fetch(self) -> Steps[Issued]:
        """Return a new token, whatever is kept; raise IntrospectionUnavailable."""
        asked_at = time.time()
        reply = yield from self._endpoint.ask(self._parameters)
        return read_token(reply, asked_at=asked_at, scope=self._scope)

    def _fetch(self) -> Steps[Fetched[ObtainedToken]]:
        token, lifetime = yield from self.fetch()
        usable_for = _DEFAULT_LIFETIME if lifetime is None else lifetime
        return Fetched(token, fresh_for(usable_for), usable_for)


def fresh_for(lifetime: float) -> float:
    """Return the seconds after which a token that lives for `lifetime` seconds is due for renewal."""
    return max(lifetime - MARGIN, lifetime / 2)
