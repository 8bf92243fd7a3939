"""JWT access tokens of an issuer, verified with its public keys: no question for each token (RFC 9068)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.checks import CheckMessage

from .. import jose, revocations
from ..conf import introspection_settings
from ..exceptions import InvalidBackend
from ..outbound.deadline import deadline, seconds_left
from ..outbound.jwks import KeySet, VerificationKeys, read_keys
from ..outbound.messages import Reply, Request
from ..outbound.steps import Steps, arun, run
from ..protocol.access_token import read_access_token
from ..protocol.answer import Active, Answer, Inactive, Reason
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.explanation import quoted
from ..protocol.jwt import SIGNING_ALGORITHMS, MalformedJWT, UnverifiedJWT, looks_like_jwt, parse_jwt, token_identity
from ..protocol.presented import Presented
from ..setting_values import BACKEND_ALIAS
from .base import TokenBackend
from .cache_steps import look_for_end
from .diagnosis import Finding
from .options import Options
from .registry import token_backends
from .remote_diagnosis import diagnose_keys
from .remote_options import require_discovery, take_audience_claim, take_connection, take_cut_offs
from .revoked_tokens import identity_of
from .shared_keys import SharedKeys, share_keys

if TYPE_CHECKING:
    from .feed import Feed

RETRY = 5
"""Seconds between two tries to fetch the first key set."""


class JWTBackend(TokenBackend):
    """Verify JWT access tokens of one issuer in this process.

    A token that the issuer revokes stays active until it expires. A tombstone of REVOCATIONS ends it earlier, and so
    does the backend `then_ask`, which is asked about tokens that are active by their signature and claims.
    """

    is_remote = False
    _feed_alias: str | None = None

    def configure(self, options: Options) -> None:
        """Take the issuer, the address of its keys, and the rules for its JWTs."""
        if not jose.is_installed():
            raise InvalidBackend(f"{self.place} needs the extra jwt: pip install 'django-introspection[jwt]'")
        if not self.audience:
            raise options.invalid("audience", "is required")
        self.timeout = options.seconds("timeout", 5)
        self._connection = take_connection(options)
        self._transport = self._connection.transport
        self._strict = options.flag("require_at_jwt", True)
        if self._strict and not self.is_audience_required:
            problem = "must not be False unless require_at_jwt is: a JWT of RFC 9068 always names its audience"
            raise options.invalid("audience_required", problem)
        self.audience_claim = take_audience_claim(options, self.audience)
        if self._strict and self.audience_claim != "aud":
            problem = "must not be set unless require_at_jwt is False: a JWT of RFC 9068 names its audience in aud"
            raise options.invalid("audience_claim", problem)
        self._take_issuer(options)
        self.cut_off_issuer = take_cut_offs(options, self.issuer)
        self._take_algorithms(options)
        self._take_next(options)
        self._discovery = self._connection.discovery(self.issuer)
        self._own_keys = KeySet(self._fetch_keys, retry=RETRY)
        self._shared: SharedKeys | None = None

    @conceal_locals
    def introspect(self, token: str) -> Answer:
        """Verify a token; raise IntrospectionUnavailable if keys or tombstones cannot be read in time."""
        with deadline(self.timeout):
            return run(self._judge(Presented(token)))

    @conceal_locals
    async def aintrospect(self, token: str) -> Answer:
        """Verify like `introspect`, on the running event loop."""
        with deadline(self.timeout):
            return await arun(self._judge(Presented(token)))

    @conceal_locals
    def purge(self, token: str | None = None) -> None:
        """Forget the kept answers of the backend `then_ask`; raises IntrospectionUnavailable."""
        if self.then_ask is not None:
            token_backends[self.then_ask].purge(token)

    @conceal_locals
    async def apurge(self, token: str | None = None) -> None:
        """Forget like `purge`, without blocking the event loop."""
        if self.then_ask is not None:
            await token_backends[self.then_ask].apurge(token)

    def follow_feed(self, values: Any) -> None:
        """Hear of revocations by the feed of another backend; raises InvalidBackend."""
        from .feed_options import shared_feed

        self._feed_alias = shared_feed(self.alias, values)

    def check(self) -> list[CheckMessage]:
        """Warn of keys that an attacker on the network can change."""
        messages = super().check()
        return messages + self._connection.check(self.place, over_http="anyone on the way can change the keys")

    def diagnose(self) -> Iterable[Finding]:
        """Connect, fetch the keys and compare the clocks, without the kept keys."""
        yield from diagnose_keys(
            self._url, self._exchange, self._algorithms, self._transport, timeout=self.timeout, issuer=self.issuer
        )
        if self._feed_alias is not None:
            yield self._diagnose_feed()

    def close(self) -> None:
        """Close the connections, unless another backend needs them for the same keys."""
        if self._shared is None or self._shared.leave(self):
            self._transport.close()

    def _judge(self, token: Presented) -> Steps[Answer]:
        """Check the issuer first, so that the token of another issuer costs no signature, and the claims last."""
        try:
            jwt = parse_jwt(token.value)
        except MalformedJWT as problem:
            is_opaque = not looks_like_jwt(token.value)
            found = "not a JWT: opaque or encrypted" if is_opaque else f"a malformed JWT: {problem}"
            return Inactive(Reason.MALFORMED, "a signed JWT", found)
        if jwt.claims.get("iss") != self.issuer:
            claimed = quoted([jwt.claims.get("iss")])
            return Inactive(Reason.WRONG_ISSUER, f"iss {quoted([self.issuer])}", f"iss {claimed}")
        unsigned = yield from self._signature_problem(jwt)
        if unsigned is not None:
            return unsigned
        answer = read_access_token(jwt, strict=self._strict)
        if answer and self._feed_alias is not None:
            has_ended = yield from self._heard_of(token)
            if has_ended:
                return Inactive(Reason.REVOKED)
            if has_ended is not None and self.cut_off_issuer is None:
                return answer
        if answer and introspection_settings.REVOCATIONS is not None and (yield from self._is_ended(token, answer)):
            return Inactive(Reason.REVOKED)
        return answer

    def _heard_of(self, token: Presented) -> Steps[bool | None]:
        """Return whether the feed says that a token ended, None if it is late and tombstones or `then_ask` decide.

        Raise IntrospectionUnavailable if neither can.
        """
        from .feed import FirstReading

        feed = self._followed()
        feed.start()
        if feed.is_starting:
            yield from FirstReading(feed, seconds_left() / 2)
        gap = self._gap(feed)
        if gap is None and feed.is_fresh:
            return identity_of(token_identity(token.value)) in feed.tokens
        if revocations.are_tombstones_read() or self.then_ask is not None:
            return None
        problem = gap or "it is late"
        raise IntrospectionUnavailable(f"the feed of revocations of {self._feed_alias!r} cannot be used: {problem}")

    def _diagnose_feed(self) -> Finding:
        """Find whether the feed names every token of this issuer that is accepted here."""
        feed = self._followed()
        try:
            feed.last_page = feed.last_page or feed.read_now()
        except IntrospectionUnavailable:
            return Finding.warning(f"the feed of {self._feed_alias!r} cannot be read", "See what is found about it.")
        if gap := self._gap(feed):
            mend = "Give the client there the policy 'any', or 'audience' with the audiences of this backend."
            return Finding.error(f"the feed of {self._feed_alias!r} cannot end these tokens: {gap}", mend)
        return Finding.ok(f"the feed of {self._feed_alias!r} names every token that ends")

    def _gap(self, feed: Feed) -> str | None:
        named = self.is_audience_required and self.audience_claim == "aud"
        return feed.gap(issuer=self.issuer, audience=self.audience, is_audience_named=named)

    def _followed(self) -> Feed:
        """Return the feed, which belongs to another backend of this process."""
        feed = token_backends[self._feed_alias or ""].feed
        if feed is None:
            raise InvalidBackend(f"the backend {self._feed_alias!r} has no feed of revocations.")
        return feed

    def _is_ended(self, token: Presented, answer: Active) -> Steps[bool]:
        """Look for the tombstone and for cut-offs.

        If it cannot be known whether there is a tombstone, the backend `then_ask` decides alone. The other server does
        not know of cut-offs, so it cannot decide about these.
        """
        try:
            identity = token_identity(token.value)
            return (yield from look_for_end(identity, self.cut_off_issuer, answer.info, seconds_left()))
        except IntrospectionUnavailable:
            if self.then_ask is None or self.cut_off_issuer is not None:
                raise
            return False

    def _signature_problem(self, jwt: UnverifiedJWT) -> Steps[Inactive | None]:
        """Return the rejection of a JWT that no key of the issuer signed, None if one did."""
        if jwt.alg not in self._algorithms:
            accepted = f"alg {quoted(sorted(self._algorithms), most=len(SIGNING_ALGORITHMS))} (option algorithms)"
            return Inactive(Reason.ALGORITHM, accepted, f"alg {quoted([jwt.alg])}")
        keys = jose.candidates((yield from self._keys().keys(jwt.kid)), jwt)
        if not keys:
            return Inactive(
                Reason.UNKNOWN_KEY, f"a key of the issuer for alg {quoted([jwt.alg])}", f"kid {quoted([jwt.kid])}"
            )
        if not any(key.verifies(jwt) for key in keys):
            found = f"kid {quoted([jwt.kid])}, alg {quoted([jwt.alg])}"
            return Inactive(Reason.BAD_SIGNATURE, "a signature by a key of the issuer", found)
        return None

    def _keys(self) -> KeySet:
        """Return the keys of the issuer, which tenants of one server have in common."""
        if self.jwks_uri is None:
            return self._own_keys
        if self._shared is None:
            shared = share_keys(self, self._connection, self.jwks_uri, retry=RETRY)
            self._transport, self._shared = shared.transport, shared
        return self._shared.keys

    def _fetch_keys(self) -> Steps[VerificationKeys]:
        return read_keys((yield from self._exchange()))

    def _exchange(self) -> Steps[Reply]:
        url = yield from self._url()
        return (yield from self._transport.exchange(partial(Request.get, url)))

    def _url(self) -> Steps[str]:
        return self.jwks_uri or (yield from self._discovery.endpoint("jwks_uri"))

    def _take_issuer(self, options: Options) -> None:
        self.issuer = options.required("issuer")
        insecure_http = self._connection.insecure_http
        self.jwks_uri = options.url("jwks_uri", insecure_http=insecure_http)
        if self.jwks_uri is None:
            require_discovery(options, self.issuer, "jwks_uri", insecure_http=insecure_http)

    def _take_algorithms(self, options: Options) -> None:
        available = jose.available_algorithms()
        self._algorithms = options.strings("algorithms") or frozenset(available)
        if not self._algorithms.issubset(SIGNING_ALGORITHMS):
            raise options.invalid("algorithms", f"must be a list of {', '.join(SIGNING_ALGORITHMS)}")
        if missing := self._algorithms.difference(available):
            problem = f"names algorithms that the installed joserfc does not have: {', '.join(sorted(missing))}"
            raise options.invalid("algorithms", problem)

    def _take_next(self, options: Options) -> None:
        self.then_ask = options.string("then_ask")
        if self.then_ask is None:
            return
        if self.then_ask not in introspection_settings.BACKENDS:
            raise options.invalid("then_ask", BACKEND_ALIAS)
        if not token_backends.kind(self.then_ask).is_remote:
            raise options.invalid("then_ask", "must be the alias of a backend that asks another server")
