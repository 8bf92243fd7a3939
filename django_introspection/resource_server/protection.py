"""The steps of every way to protect a view: read the token of a request, judge it, and identify the user or client."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from ..proofs import NonceNeeded
from ..protocol.answer import Inactive, Reason
from ..protocol.dpop import InvalidProof
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.explanation import insufficient_scope
from ..protocol.opaque import digest
from ..protocol.presented import BEARER, DPOP, SCHEMES, SentToken
from ..protocol.token_info import TokenInfo
from .acceptance import Identity, aauthenticate_token, authenticate_token
from .denial import (
    DEFAULT_REALM,
    Announcement,
    Denial,
    InvalidDPoPProof,
    InvalidResourceRequest,
    InvalidToken,
    NotAuthenticated,
    Unavailable,
    UseDPoPNonce,
)
from .extraction import BEARER_METHODS, HEADER, MalformedRequest, MalformedToken, sent_token
from .metadata import metadata_url
from .proof import NONCES, verify
from .refusal_log import log_refusal
from .requirements import Requirement, refusal

logger = logging.getLogger("django_introspection")


@dataclass(frozen=True, slots=True)
class Protection:
    """How a view is protected: which token backend is asked, in which ways and by which schemes a token may come."""

    backend: str = "default"
    realm: str = DEFAULT_REALM
    bearer_methods: tuple[str, ...] = (HEADER,)
    schemes: tuple[str, ...] = (BEARER,)

    @property
    def announcement(self) -> Announcement:
        """The parameters of every challenge."""
        return Announcement(self.realm, metadata_url(self.backend), self.schemes)

    def token_of(self, request: HttpRequest) -> SentToken | None:
        """Return the token of a request, None if it has none; raises InvalidResourceRequest or InvalidToken."""
        try:
            return sent_token(request, self.bearer_methods, self.schemes)
        except MalformedRequest as malformed:
            raise InvalidResourceRequest(str(malformed), announcement=self.announcement.answering(request)) from None
        except MalformedToken:
            log_refusal("access token refused backend=%s: %s", self.backend, Reason.MALFORMED)
            raise InvalidToken(announcement=self.announcement.answering(request)) from None

    def identify(self, request: HttpRequest, token: SentToken) -> Identity:
        """Return the identity of a request by its token; raises InvalidToken, InvalidDPoPProof or Unavailable.

        A request asks once, also if it passes a middleware and an authentication class.
        """
        identities, name = _identities(request), (self.backend, token.scheme, digest(token.value))
        if known := identities.get(name):
            return known
        try:
            proof = verify(request, token.value, self.backend) if token.scheme == DPOP else None
            found = authenticate_token(token.value, self.backend, request, proof=proof)
        except (NonceNeeded, InvalidProof, IntrospectionUnavailable) as failure:
            raise self._denial(request, failure) from None
        if isinstance(found, Inactive):
            raise self._rejected(request, token, found)
        identities[name] = found
        return found

    async def aidentify(self, request: HttpRequest, token: SentToken) -> Identity:
        """Return like `identify`, without blocking the event loop."""
        identities, name = _identities(request), (self.backend, token.scheme, digest(token.value))
        if known := identities.get(name):
            return known
        try:
            proof = verify(request, token.value, self.backend) if token.scheme == DPOP else None
            found = await aauthenticate_token(token.value, self.backend, request, proof=proof)
        except (NonceNeeded, InvalidProof, IntrospectionUnavailable) as failure:
            raise self._denial(request, failure) from None
        if isinstance(found, Inactive):
            raise self._rejected(request, token, found)
        identities[name] = found
        return found

    @conceal_locals
    def admit(self, request: HttpRequest, scopes: tuple[str, ...], requirements: tuple[Requirement, ...] = ()) -> None:
        """Let a request of a plain Django view in, with its user and `token_info`; raises a denial (RFC 6750 §3.1)."""
        self._let_in(request, self.identify(request, self._required_token(request, scopes)), scopes, requirements)

    @conceal_locals
    async def aadmit(
        self, request: HttpRequest, scopes: tuple[str, ...], requirements: tuple[Requirement, ...] = ()
    ) -> None:
        """Let in like `admit`, without blocking the event loop."""
        identity = await self.aidentify(request, self._required_token(request, scopes))
        self._let_in(request, identity, scopes, requirements)

    def _required_token(self, request: HttpRequest, scopes: tuple[str, ...]) -> SentToken:
        token = self.token_of(request)
        if token is None:
            raise NotAuthenticated(announcement=self.announcement, scope=" ".join(scopes))
        return token

    def _let_in(
        self, request: HttpRequest, identity: Identity, needed: tuple[str, ...], requirements: tuple[Requirement, ...]
    ) -> None:
        info = identity.info
        lacks_scope = not info.scopes.issuperset(needed)
        unmet = [each for each in requirements if not each.is_met(info)]
        if unmet or lacks_scope:
            for reason in [each.explain(info) for each in unmet] or [str(insufficient_scope(info, needed))]:
                log_refusal("access token refused backend=%s: %s", self.backend, reason)
            announcement = self.announcement.answering(request)
            raise refusal(unmet, announcement=announcement, needed=needed, lacks_scope=lacks_scope)

        async def auser() -> Any:
            return identity.user

        vars(request).update(user=identity.user, auser=auser, token_info=identity.info)

    def _rejected(self, request: HttpRequest, token: SentToken, rejected: Inactive) -> InvalidToken:
        """Log why a token is rejected, and return the refusal."""
        log_refusal("access token refused backend=%s: %s", self.backend, rejected)
        return InvalidToken(announcement=self._announcement_of(request, token, rejected))

    def _announcement_of(self, request: HttpRequest, token: SentToken, rejected: Inactive) -> Announcement:
        """Return what the challenge says of a rejected token: how it may be used, and where to get another one."""
        announcement = self.announcement._replace(resource_metadata=metadata_url(self.backend, token))
        if rejected.reason is Reason.BOUND_TO_A_KEY and DPOP in self.schemes:
            return announcement._replace(schemes=(DPOP,))
        return announcement.answering(request)

    def _denial(
        self, request: HttpRequest, failure: NonceNeeded | InvalidProof | IntrospectionUnavailable
    ) -> Denial | Unavailable:
        """Return the refusal for a failure."""
        match failure:
            case NonceNeeded():
                return UseDPoPNonce(NONCES.fresh(), announcement=self.announcement.answering(request))
            case InvalidProof():
                log_refusal("DPoP proof refused backend=%s: %s", self.backend, failure)
                reason = f"The DPoP proof is invalid: {failure}."
                return InvalidDPoPProof(reason, announcement=self.announcement.answering(request))
        logger.warning("access token not checked backend=%s: %s", self.backend, failure)
        return Unavailable(retry_after=failure.retry_after)


def issuer_of(request: HttpRequest, info: TokenInfo) -> str:
    """Return the issuer that vouches for a token of this request; its own `iss` if it did not come this way."""
    known = (each.issuer for each in _identities(request).values() if each.info is info)
    return next(known, info.iss or "")


def for_one_sender(response: Any) -> Any:
    """Return the response of a protected view, which no cache may give to a sender with another token or none.

    RFC 9111 §3.5 forbids this already, but UpdateCacheMiddleware of Django before 5.2.15 stored such responses.
    """
    if isinstance(response, HttpResponseBase):  # Django reports any other result of a view
        patch_vary_headers(response, ("Authorization",))
    return response


def accepted_token(request: HttpRequest) -> SentToken | None:
    """Return the token by which a request was let in; None if none was accepted.

    It is read again, because a request keeps the digest alone. A body is looked at last: only a token in the body can
    have been accepted then, and reading that one has kept the body.
    """
    accepted = {name[2] for name in _identities(request)}
    for method in BEARER_METHODS if accepted else ():
        with suppress(MalformedRequest, MalformedToken):
            sent = sent_token(request, (method,), SCHEMES)
            if sent is not None and digest(sent.value) in accepted:
                return sent
    return None


def _identities(request: HttpRequest) -> dict[tuple[str, str, bytes], Identity]:
    identities: dict[tuple[str, str, bytes], Identity] = vars(request).setdefault("_introspection_identities", {})
    return identities
