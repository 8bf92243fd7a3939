"""Authentication of DRF views by access token."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any, ClassVar

from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from .protocol.answer import Answer
from .protocol.challenge import challenge
from .protocol.errors import IntrospectionUnavailable
from .protocol.token_info import TokenInfo
from .resource_server.acceptance import validate
from .resource_server.denial import DEFAULT_REALM, InvalidRequest, InvalidToken, Unavailable
from .resource_server.extraction import MalformedRequest, MalformedToken, bearer_token
from .resource_server.users import user_of

__all__ = ["IntrospectionAuthentication"]

logger = logging.getLogger("django_introspection")


class IntrospectionAuthentication(BaseAuthentication):
    """Authenticate by bearer token, asked of one token backend.

    `request.auth` is the TokenInfo and `request.user` the local user or a TokenUser. A token that is not good is 401
    `invalid_token` even on an open view, one that cannot be checked 503, a malformed request 400
    (RFC 6750 §3.1). Without Bearer credentials the next authenticator is asked.
    """

    backend: ClassVar[str] = "default"
    realm: ClassVar[str] = DEFAULT_REALM

    @classmethod
    @cache
    def using(cls, alias: str) -> type[IntrospectionAuthentication]:
        """Return the subclass that asks another token backend; the same one every time."""
        return type(f"{cls.__name__}Using{alias.title()}", (cls,), {"backend": alias, "__module__": __name__})

    @sensitive_variables("token")
    def authenticate(self, request: Request) -> tuple[Any, TokenInfo] | None:
        """Return the user and the TokenInfo; None where the request has no Bearer credentials."""
        try:
            token = bearer_token(request._request)
        except MalformedRequest as malformed:
            raise InvalidRequest(str(malformed), realm=self.realm) from None
        except MalformedToken:
            raise InvalidToken(realm=self.realm) from None
        if token is None:
            return None
        answer = self._ask(token)
        if not answer:
            logger.info("access token refused backend=%s: %s", self.backend, answer.reason)
            raise InvalidToken(realm=self.realm)
        return user_of(answer), answer.info

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge for a request without credentials: no error code (RFC 6750 §3.1)."""
        return challenge("Bearer", realm=self.realm)

    @sensitive_variables("token")
    def _ask(self, token: str) -> Answer:
        try:
            return validate(token, self.backend)
        except IntrospectionUnavailable as unavailable:
            logger.warning("access token not checked backend=%s: %s", self.backend, unavailable)
            raise Unavailable(retry_after=unavailable.retry_after) from None
