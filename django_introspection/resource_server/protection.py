"""What every face does: read the token of a request, judge it, and say who came."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from ..backends.base import TokenBackend
from ..backends.registry import token_backends
from ..protocol.answer import Answer, Inactive
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.opaque import digest
from ..protocol.token_info import TokenInfo
from .acceptance import avalidate, validate
from .denial import (
    DEFAULT_REALM,
    Announcement,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    NotAuthenticated,
    Unavailable,
)
from .extraction import HEADER, MalformedRequest, MalformedToken, bearer_token
from .metadata import metadata_url
from .users import auser_of, user_of

logger = logging.getLogger("django_introspection")


class Identity(NamedTuple):
    """Who came, and what their token means."""

    user: Any
    info: TokenInfo


@dataclass(frozen=True, slots=True)
class Protection:
    """How a view is protected: which token backend is asked, in which ways a token may come, and the realm."""

    backend: str = "default"
    realm: str = DEFAULT_REALM
    bearer_methods: tuple[str, ...] = (HEADER,)

    @property
    def announcement(self) -> Announcement:
        """What every challenge says."""
        return Announcement(self.realm, metadata_url(self.backend))

    @sensitive_variables("token")
    def token_of(self, request: HttpRequest) -> str | None:
        """Return the token of a request, None where there is none; raises InvalidRequest or InvalidToken."""
        try:
            return bearer_token(request, self.bearer_methods)
        except MalformedRequest as malformed:
            raise InvalidRequest(str(malformed), announcement=self.announcement) from None
        except MalformedToken:
            raise InvalidToken(announcement=self.announcement) from None

    @sensitive_variables("token")
    def identify(self, request: HttpRequest, token: str) -> Identity:
        """Return who sent this token; raises InvalidToken or Unavailable.

        Two faces in the way of one request ask once.
        """
        if known := self._known(request, token):
            return known
        try:
            answer = validate(token, self.backend)
            return self._remember(request, token, answer, user_of(answer, self._source, request))
        except IntrospectionUnavailable as unavailable:
            raise self._unavailable(unavailable) from None

    @sensitive_variables("token")
    async def aidentify(self, request: HttpRequest, token: str) -> Identity:
        """Return like `identify`, without blocking the event loop."""
        if known := self._known(request, token):
            return known
        try:
            answer = await avalidate(token, self.backend)
            return self._remember(request, token, answer, await auser_of(answer, self._source, request))
        except IntrospectionUnavailable as unavailable:
            raise self._unavailable(unavailable) from None

    @sensitive_variables("token")
    def admit(self, request: HttpRequest, scopes: Iterable[str]) -> None:
        """Let a request of a plain Django view in, with its user and `token_info`; raises a denial (RFC 6750 §3.1)."""
        self._let_in(request, self.identify(request, self._required_token(request)), scopes)

    @sensitive_variables("token")
    async def aadmit(self, request: HttpRequest, scopes: Iterable[str]) -> None:
        """Let in like `admit`, without blocking the event loop."""
        self._let_in(request, await self.aidentify(request, self._required_token(request)), scopes)

    @sensitive_variables("token")
    def _required_token(self, request: HttpRequest) -> str:
        token = self.token_of(request)
        if token is None:
            raise NotAuthenticated(announcement=self.announcement)
        return token

    def _let_in(self, request: HttpRequest, identity: Identity, scopes: Iterable[str]) -> None:
        required = tuple(scopes)
        if not identity.info.scopes.issuperset(required):
            raise InsufficientScope(announcement=self.announcement, scope=" ".join(required))

        async def auser() -> Any:
            return identity.user

        vars(request).update(user=identity.user, auser=auser, token_info=identity.info)

    @property
    def _source(self) -> TokenBackend:
        return token_backends[self.backend]

    @sensitive_variables("token")
    def _known(self, request: HttpRequest, token: str) -> Identity | None:
        known: Identity | None = _identities(request).get((self.backend, digest(token)))
        return known

    @sensitive_variables("token")
    def _remember(self, request: HttpRequest, token: str, answer: Answer, user: Any) -> Identity:
        if not answer or isinstance(user, Inactive):  # of an inactive answer the user is inactive for the same reason
            logger.info("access token refused backend=%s: %s", self.backend, user.reason)
            raise InvalidToken(announcement=self.announcement)
        identity = _identities(request)[self.backend, digest(token)] = Identity(user, answer.info)
        return identity

    def _unavailable(self, unavailable: IntrospectionUnavailable) -> Unavailable:
        logger.warning("access token not checked backend=%s: %s", self.backend, unavailable)
        return Unavailable(retry_after=unavailable.retry_after)


def _identities(request: HttpRequest) -> dict[tuple[str, bytes], Identity]:
    identities: dict[tuple[str, bytes], Identity] = vars(request).setdefault("_introspection_identities", {})
    return identities
