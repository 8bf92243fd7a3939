"""The access token with which this resource server asks, where that is how it is authorized (RFC 7662 §2.1)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial

from django.views.decorators.debug import sensitive_variables

from ..protocol.errors import CredentialsRefused, IntrospectionUnavailable, InvalidResponse
from ..protocol.presented import Presented
from ..protocol.strict_json import parse_json_object
from .client_authentication import ClientAuthentication
from .single_flight import SingleFlight
from .steps import Steps
from .transport import Reply, Request, Transport

MARGIN = 30
"""Seconds before its end at which a token is replaced."""
PAUSE = 60
"""Seconds between two replacements of a token that the server did not take: a fault of its own is not hammered."""
_DEFAULT_LIFETIME = 300


class ServiceToken:
    """Get a token with the grant client_credentials (RFC 6749 §4.4), and a new one before it ends."""

    def __init__(
        self,
        transport: Transport,
        endpoint: Callable[[], Steps[str]],
        authentication: ClientAuthentication,
        scope: str | None,
    ) -> None:
        self._transport, self._endpoint, self._authentication, self._scope = transport, endpoint, authentication, scope
        self._flights = SingleFlight()
        self._value: Presented | None = None
        self._renew_at = 0.0
        self._given_up_at = -math.inf

    def value(self) -> Steps[Presented]:
        """Return a token that is good; raises IntrospectionUnavailable."""
        if self._value is not None and time.monotonic() < self._renew_at:
            return self._value
        return (yield from self._flights.call_once("token", self._fetch))

    def give_up(self) -> bool:
        """Forget a token that the server did not take; tell whether it is worth asking for another."""
        if time.monotonic() < self._given_up_at + PAUSE:
            return False
        self._value, self._given_up_at = None, time.monotonic()
        return True

    def _fetch(self) -> Steps[Presented]:
        if self._value is not None and time.monotonic() < self._renew_at:
            return self._value
        endpoint = yield from self._endpoint()
        reply = yield from self._transport.exchange(partial(self._request, endpoint))
        value, lifetime = read_token(reply)
        self._renew_at = time.monotonic() + max(lifetime - MARGIN, lifetime / 2)
        self._value = value
        return value

    def _request(self, endpoint: str) -> Request:
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        credentials = self._authentication.credentials()
        return Request.post(endpoint, {**form, **credentials.form}, credentials.headers)


@sensitive_variables()
def read_token(reply: Reply) -> tuple[Presented, float]:
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
    return Presented(value), float(lifetime)
