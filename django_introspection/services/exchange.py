"""Tokens for another API in exchange for the token of a request (RFC 8693, RFC 7523 §2.1)."""

from __future__ import annotations

import time
from functools import partial

from ..backends.diagnosis import Finding, random_token
from ..backends.guarded_server import GuardedServer
from ..backends.options import Options
from ..conf import introspection_settings
from ..outbound.deadline import deadline
from ..outbound.messages import Request
from ..outbound.single_flight import SingleFlight
from ..outbound.steps import Steps, arun, run
from ..outbound.token_response import Issued, read_exchanged
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import ExchangeRefused, IntrospectionUnavailable
from ..protocol.identifiers import split_uri
from ..protocol.obtained_token import ACCESS_TOKEN, ObtainedToken
from ..protocol.opaque import digest
from ..protocol.presented import Presented
from .base import MEND, Service
from .kept_tokens import KeptTokens, Key
from .registry import CLIENT_CREDENTIALS, JWT_BEARER, services

_OF_THE_TOKEN = frozenset({"invalid_request", "invalid_grant", "invalid_token"})
"""Error codes with which servers reject a subject token."""


class ExchangeService(Service):
    """Exchange tokens. Callers that come at once with the same token share one exchange."""

    def configure(self, options: Options) -> None:
        """Take the types of the tokens, the actor, and how long a token is kept."""
        self._flights = SingleFlight()
        self._server = GuardedServer(self._connection.transport, timeout=self.timeout, service=self.alias)
        self._kept = KeptTokens(options.seconds("max_age", 0, may_be_zero=True))
        self._subject_type: str | None = None
        self._requested_type: str | None = None
        self._actor: str | None = None
        if self.grant_type != JWT_BEARER:
            self._subject_type = _take_type(options, "subject_token_type") or ACCESS_TOKEN
            self._requested_type = _take_type(options, "requested_token_type")
            self._take_actor(options)

    @conceal_locals
    def exchange(self, token: Presented, scope: str | None, other_than: ObtainedToken | None) -> ObtainedToken:
        """Exchange a token; raise ExchangeRefused or IntrospectionUnavailable."""
        with deadline(self.timeout):
            return run(self._get(token, scope or self.scope, other_than))

    @conceal_locals
    async def aexchange(self, token: Presented, scope: str | None, other_than: ObtainedToken | None) -> ObtainedToken:
        """Exchange like `exchange`, on the running event loop."""
        with deadline(self.timeout):
            return await arun(self._get(token, scope or self.scope, other_than))

    def _get(self, token: Presented, scope: str | None, other_than: ObtainedToken | None) -> Steps[ObtainedToken]:
        if not introspection_settings.TOKEN_PREFIX.may_be_token(token.value):
            raise ExchangeRefused("invalid_request", {})  # what every server answers (RFC 8693 §2.2.2)
        key = Key(digest(token.value), scope)
        kept = self._kept.get(key)
        if kept is not None and (other_than is None or kept.value != other_than.value):
            return kept
        outcome = yield from self._flights.call_once(key, partial(self._exchange_and_keep, key, token))
        if isinstance(outcome, ExchangeRefused):
            raise ExchangeRefused(outcome.error, outcome.members)  # a traceback belongs to one caller
        return outcome

    def _exchange_and_keep(self, key: Key, token: Presented) -> Steps[ObtainedToken | ExchangeRefused]:
        """Return a refusal instead of raising it, because the callers that wait share it."""
        asked_at = time.time()
        try:
            issued = yield from self._exchange(token, key.scope)
        except ExchangeRefused as refusal:
            return refusal
        self._kept.keep(key, issued, asked_at)
        return issued.token

    def _exchange(self, token: Presented, scope: str | None) -> Steps[Issued]:
        """Exchange a token; a second time if the server may have refused the actor instead, which is replaced then."""
        if self._actor is None:
            return (yield from self._ask(token, scope))
        service = services.own(self._actor)
        actor = yield from service.steps()
        try:
            return (yield from self._ask(token, scope, actor))
        except ExchangeRefused:
            try:
                other = yield from service.steps(other_than=actor)
            except IntrospectionUnavailable:  # it was replaced a moment ago
                other = None
            if other is None:
                raise
        return (yield from self._ask(token, scope, other))

    def _ask(self, token: Presented, scope: str | None, actor: ObtainedToken | None = None) -> Steps[Issued]:
        return (yield from self._alarming(self._answer(token, scope, actor)))

    def _answer(self, token: Presented, scope: str | None, actor: ObtainedToken | None) -> Steps[Issued]:
        url = yield from self._endpoint.url()
        yield from self._server.admit(partial(self._request, url, Presented(random_token()), scope, actor))
        asked_at = time.time()
        reply = yield from self._server.send(partial(self._request, url, token, scope, actor))
        return read_exchanged(reply, asked_at=asked_at, scope=scope, requested_type=self._requested_type)

    def _request(self, url: str, token: Presented, scope: str | None, actor: ObtainedToken | None) -> Request:
        """Return a request with the parameters of RFC 8693 §2.1, or those of RFC 7523 §2.1."""
        form = {
            "grant_type": self.grant_type,
            "assertion" if self.grant_type == JWT_BEARER else "subject_token": token.value,
            "subject_token_type": self._subject_type,
            "requested_token_type": self._requested_type,
            "actor_token": actor.value if actor else None,
            "actor_token_type": ACCESS_TOKEN if actor else None,
            "scope": scope,
        }
        named = {name: value for name, value in form.items() if value}
        return self._endpoint.request(url, {**named, **self._parameters})

    @conceal_locals
    def _try(self) -> Finding:
        """Exchange a token that was never issued: a server that rejects it alone accepts everything else."""
        try:
            with deadline(self.timeout):
                run(self._exchange(Presented(random_token()), self.scope))
        except ExchangeRefused as problem:
            text = f"the server refuses to exchange a random token: {described(problem)}"
            return Finding.ok(text) if problem.error in _OF_THE_TOKEN else Finding.error(text, MEND)
        return Finding.error("the server exchanges a random token", "Do not use this server: it accepts every token.")

    def _take_actor(self, options: Options) -> None:
        self._actor = options.string("actor")
        if self._actor is None:
            return
        if self._actor not in services:
            raise options.invalid("actor", "must be an alias of SERVICES")
        if services.grant_type(self._actor) != CLIENT_CREDENTIALS:
            raise options.invalid("actor", f"must be the alias of an entry with the grant_type {CLIENT_CREDENTIALS!r}")


def described(refusal: ExchangeRefused) -> str:
    """Return an error code and the description of the server, for operators."""
    description = refusal.members.get("error_description")
    return f"{refusal.error} ({description[:200]})" if isinstance(description, str) else refusal.error


def _take_type(options: Options, name: str) -> str | None:
    uri = options.string(name)
    if uri is not None and ((parts := split_uri(uri)) is None or not parts.scheme):
        raise options.invalid(name, f"must be a URI such as {ACCESS_TOKEN}")
    return uri
