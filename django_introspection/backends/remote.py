"""Tokens of any authorization server that has an introspection endpoint (RFC 7662)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.core.checks import CheckMessage

from ..conf import introspection_settings
from ..outbound.client_authentication import BEARER_METHODS, METHODS, NO_METHOD, Authorization, NoAuthentication
from ..outbound.deadline import Within, deadline, seconds_left
from ..outbound.service_token import ServiceToken, TokenEndpoint
from ..outbound.single_flight import SingleFlight
from ..outbound.steps import Steps, arun, run
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import CredentialsRefused, IntrospectionUnavailable
from ..protocol.explanation import quoted
from ..protocol.jwt import token_identity
from ..protocol.opaque import digest
from ..protocol.presented import Presented
from ..signals import token_answered
from .base import TokenBackend
from .cache import AnswerCache
from .cache_read import CacheKeys, CacheRead
from .cache_steps import look_for_cut_off
from .diagnosis import Finding
from .endpoint import IntrospectionEndpoint
from .entry import Kept
from .options import Options
from .remote_diagnosis import diagnose
from .remote_options import (
    require_discovery,
    take_audience_claim,
    take_authentication,
    take_bearer_token,
    take_connection,
    take_cut_offs,
)
from .reply import QuestionRefused
from .revoked_tokens import identity_of

if TYPE_CHECKING:
    from .feed import Feed
    from .signed_replies import SignedReplies

CACHE_SHARE = 0.25
"""Share of the timeout for which a task waits for the cache."""
SERVER_SHARE = 0.5
"""Share of the timeout that the server has in any case."""


class RemoteBackend(TokenBackend):
    """Ask an authorization server over HTTP, with this resource server's own credentials.

    In one process, one question about a token is under way at a time. Callers that come meanwhile share the next one.
    """

    supports_cache = True

    def configure(self, options: Options) -> None:
        """Take the addresses of the server, the credentials, and the options that have a default."""
        self.timeout = options.seconds("timeout", 5)
        self.is_token_type_required = options.flag("require_token_type", False)
        self._prefixes = options.names("token_prefix")
        self.audience_claim = take_audience_claim(options, self.audience)
        self._connection = take_connection(options, certificate=options.paths("client_certificate"))
        self._transport = self._connection.transport
        self._take_addresses(options)
        self.cut_off_issuer = take_cut_offs(options, self.issuer)
        self._client_id = client_id = options.string("client_id")
        self._authorization = authorization = self._take_authorization(options, client_id)
        signed = self._take_signed_replies(options, client_id)
        self._endpoint = IntrospectionEndpoint(
            self.alias, self._transport, self._url, authorization, timeout=self.timeout, signed=signed
        )
        self._flights = SingleFlight()
        self._being_written: dict[Any, Kept] = {}
        self._cache: AnswerCache | None = None
        if self.cache_options is not None:
            place = (self.issuer or "", self.introspection_url or "")
            # An unsigned answer that was kept before the option was set must not be used.
            kind = () if signed is None else ("signed",)
            identity = (*place, *kind, *authorization.caller, *self._connection.caller)
            self._cache = AnswerCache(
                self.cache_options,
                identity=identity,
                patience=self.timeout * CACHE_SHARE,
                cut_off_issuer=self.cut_off_issuer,
            )

    @conceal_locals
    def introspect(self, token: str) -> Answer:
        """Ask the server, or use a kept answer; raise IntrospectionUnavailable within the timeout."""
        known = self._known_answer(token)
        if known is not None:
            return known
        with deadline(self.timeout):
            return run(self._find(Presented(token)))

    @conceal_locals
    async def aintrospect(self, token: str) -> Answer:
        """Ask like `introspect`, on the running event loop."""
        known = self._known_answer(token)
        if known is not None:
            return known
        with deadline(self.timeout):
            return await arun(self._find(Presented(token)))

    @conceal_locals
    def purge(self, token: str | None = None) -> None:
        """Forget the kept answers about one token, or about all of them; raises IntrospectionUnavailable."""
        run(self._purge(None if token is None else Presented(token)))

    @conceal_locals
    async def apurge(self, token: str | None = None) -> None:
        """Forget like `purge`, without blocking the event loop."""
        await arun(self._purge(None if token is None else Presented(token)))

    def follow_feed(self, values: Any) -> None:
        """Hear of revocations by the feed of the server; raises InvalidBackend."""
        from .followed_feed import make_feed

        ways = (self._connection, self._authorization)
        self.feed = make_feed(self, values, *ways, self.timeout, client_id=self._client_id)
        if self._cache is not None:
            self._cache.local.feed = self.feed

    def check(self) -> list[CheckMessage]:
        """Warn of risks: an unverified certificate, plain http, a cache that is not shared (RFC 7662 §4)."""
        messages = super().check()
        messages += self._connection.check(self.place, over_http="tokens and secrets travel in the clear")
        return messages + (self._cache.check(self.alias) if self._cache else [])

    def diagnose(self) -> Iterable[Finding]:
        """Connect, authenticate, ask and compare the clocks, without kept answers and counted failures."""
        found = diagnose(self._url, self._endpoint, self._transport, timeout=self.timeout, issuer=self.issuer)
        if self.feed is None:
            return found
        from .feed_diagnosis import diagnose_feed

        return chain(found, diagnose_feed(self.feed, self.timeout))

    def close(self) -> None:
        """Close the connections."""
        if self.feed is not None:
            self.feed.close()
        self._transport.close()

    def _known_answer(self, token: str) -> Answer | None:
        """Return the answer that needs no call: one that this process keeps, or the reason to reject a value unasked.

        A value with characters that no token has is never kept, and may have no digest.
        """
        cache = self._cache
        if cache is not None and cache.is_local and token.isascii():
            answer = cache.local.get(digest(token))
            if answer is not None:
                return self._report(answer, "local")
        if not introspection_settings.TOKEN_PREFIX.may_be_token(token):
            return Inactive(Reason.MALFORMED)
        if self._prefixes and not token.startswith(self._prefixes):
            return Inactive(Reason.MALFORMED, f"a token that begins with {quoted(self._prefixes)}")
        return None

    def _find(self, token: Presented) -> Steps[Answer]:
        cache, token_digest = self._cache, digest(token.value)
        if cache is None:
            return (
                yield from self._flights.call_once(token_digest, partial(self._ask, token), shared=self._report_shared)
            )
        keys = cache.keys(token_digest, 0 if self.feed is None else self._follow(self.feed, token))
        found = yield from cache.read(keys, token)
        if self.feed is not None:
            found = cache.heard(found, keys)
        kept = found.kept
        if kept is not None and (found.is_revoked or cache.is_fresh(kept)):
            cache.keep_locally(keys, kept, found)
            return self._report(kept.answer, "cache")
        # A cache that hung must not take the time of the server, which would be blamed for it.
        time_left = max(seconds_left(), self.timeout * SERVER_SHARE)
        try:
            return (yield from Within(time_left, partial(self._ask_and_keep, cache, keys, token, found)))
        except (CredentialsRefused, QuestionRefused):  # an answer of the past would get round the refusal
            raise
        except IntrospectionUnavailable:
            if kept is None or not cache.may_stand_in(kept):
                raise
            answer = yield from self._stand_in(cache, keys, token)
            if answer is None:
                raise
            return answer

    def _follow(self, feed: Feed, token: Presented) -> int:
        """Follow the feed from now on, and return the identity by which it names a token."""
        feed.start()
        return identity_of(token_identity(token.value))

    def _ask_and_keep(self, cache: AnswerCache, keys: CacheKeys, token: Presented, found: CacheRead) -> Steps[Answer]:
        """Ask together with other callers; the one that asked for them keeps the answer when they have it.

        An answer that is under way, or that is being written to the cache, is shared like one that is kept: if it is
        fresh, and if neither a purge nor a tombstone came before this caller has read the cache. A caller that shares
        it looks for cut-offs again, because one may have been written since the other caller looked.
        """
        own: list[Kept] = []
        flight = (keys.token_digest, found.generation, found.epoch, found.is_listed)

        def ask() -> Steps[Kept]:
            asked_at = time.time()
            own.append(Kept((yield from self._ask(token)), keys.token_digest, asked_at))
            if found.generation is not None:
                self._being_written[flight] = own[-1]
            return own[-1]

        try:
            may_be_older = found.generation is not None and not found.is_listed
            kept = self._being_written.get(flight) if may_be_older else None
            if kept is None:
                kept = yield from self._flights.call_once(flight, ask, may_be_older=may_be_older)
            if not own and not cache.is_fresh(kept):
                kept = yield from self._flights.call_once(flight, ask)
            if own:
                yield from cache.write(keys, kept, found)
                return kept.answer
            return self._report((yield from self._unless_cut_off(kept.answer)), "shared")
        finally:
            if own:
                self._being_written.pop(flight, None)

    def _stand_in(self, cache: AnswerCache, keys: CacheKeys, token: Presented) -> Steps[Answer | None]:
        """Return the kept answer, unless it was purged or the token revoked while the server was waited for."""
        found = yield from cache.read(keys, token)
        if self.feed is not None:
            found = cache.heard(found, keys)
        if found.kept is None:
            return None
        if found.is_revoked:
            return self._report(found.kept.answer, "cache")
        return self._report(found.kept.answer, "stale") if cache.may_stand_in(found.kept) else None

    def _ask(self, token: Presented) -> Steps[Answer]:
        answer = yield from self._endpoint.ask(token)
        if self.cut_off_issuer is not None:
            answer = yield from self._unless_cut_off(answer)
        return self._report(answer, "server")

    def _unless_cut_off(self, answer: Answer) -> Steps[Answer]:
        """Look for cut-offs: the server need not have heard of the event that ended the token."""
        if self.cut_off_issuer is None or not answer:
            return answer
        patience = max(seconds_left(), self.timeout * CACHE_SHARE)
        is_cut_off = yield from look_for_cut_off(self.cut_off_issuer, answer.info, patience)
        return Inactive(Reason.REVOKED) if is_cut_off else answer

    def _purge(self, token: Presented | None) -> Steps[None]:
        cache = self._cache
        if cache is not None:
            yield from cache.forget_all() if token is None else cache.forget(cache.keys(digest(token.value)))

    def _report(self, answer: Answer, source: str) -> Answer:
        token_answered.send_robust(type(self), backend=self.alias, answer=answer, source=source)
        return answer

    def _report_shared(self, answer: Answer) -> None:
        self._report(answer, "shared")

    def _url(self) -> Steps[str]:
        return (yield from self._address(self.introspection_url, "introspection_endpoint"))

    def _token_url(self) -> Steps[str]:
        return (yield from self._address(self.token_url, "token_endpoint"))

    def _address(self, configured: str | None, name: str) -> Steps[str]:
        if configured is not None:
            return configured
        return (yield from self._discovery.endpoint(name))

    def _take_addresses(self, options: Options) -> None:
        self.issuer = options.string("issuer")
        self._discovery = self._connection.discovery(self.issuer)
        insecure_http = self._connection.insecure_http
        self.introspection_url = options.url("introspection_url", insecure_http=insecure_http)
        self.token_url = options.url("token_url", insecure_http=insecure_http)
        if self.introspection_url is None:
            self._require_discovery(options, "introspection_url")

    def _require_discovery(self, options: Options, name: str) -> None:
        require_discovery(options, self.issuer, name, insecure_http=self._connection.insecure_http)

    def _take_signed_replies(self, options: Options, client_id: str | None) -> SignedReplies | None:
        if not options.flag("signed_response", False):
            return None
        from .signed_replies import take_signed_replies

        audience = self.audience if self.audience_claim == "aud" else ()
        names = frozenset([*audience, *([client_id] if client_id else [])])
        return take_signed_replies(
            options, self._connection, self._discovery, issuer=self.issuer, names=names, timeout=self.timeout
        )

    def _take_authorization(self, options: Options, client_id: str | None) -> Authorization:
        method = options.choice("auth_method", [*METHODS, *BEARER_METHODS, NO_METHOD])
        if method == NO_METHOD:
            return NoAuthentication()
        if method == "bearer":
            return take_bearer_token(options)
        if method != "client_credentials":
            return take_authentication(options, method, client_id, self.issuer)
        if self.token_url is None:
            self._require_discovery(options, "token_url")
        own_method = options.choice("token_auth_method", METHODS)
        authentication = take_authentication(options, own_method, client_id, self.issuer)
        endpoint = TokenEndpoint(self._transport, self._token_url, authentication)
        return ServiceToken(endpoint, options.string("scope"))
