"""Authentication of DRF views by access token."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from .protocol.error_reports import conceal_locals
from .protocol.presented import BEARER
from .protocol.token_info import TokenInfo
from .resource_server.denial import DEFAULT_REALM, Announcement, Denial
from .resource_server.extraction import HEADER
from .resource_server.protection import Protection, accepted_token

__all__ = ["IntrospectionAuthentication", "presented_token"]


class IntrospectionAuthentication(BaseAuthentication):
    """Authenticate by access token, with one token backend.

    `request.auth` is the TokenInfo and `request.user` the local user or a TokenUser. A rejected token is 401
    `invalid_token` even on an open view, one that cannot be checked 503, a malformed request 400
    (RFC 6750 §3.1). Without credentials of its schemes the next authenticator is asked. `bearer_methods` is
    `("header",)`; with "body" the form parameter `access_token` is read as well (RFC 6750 §2.2). `schemes` is
    `("Bearer",)`; with "DPoP" tokens that are bound to a key are accepted with a proof (RFC 9449 §7), which needs the
    extra `jwt`.
    """

    backend: ClassVar[str] = "default"
    realm: ClassVar[str] = DEFAULT_REALM
    bearer_methods: ClassVar[tuple[str, ...]] = (HEADER,)
    schemes: ClassVar[tuple[str, ...]] = (BEARER,)

    @classmethod
    @cache
    def using(cls, alias: str) -> type[IntrospectionAuthentication]:
        """Return the subclass that asks another token backend; the same one every time."""
        return type(f"{cls.__name__}Using{alias.title()}", (cls,), {"backend": alias, "__module__": __name__})

    @conceal_locals
    def authenticate(self, request: Request) -> tuple[Any, TokenInfo] | None:
        """Return the user and the TokenInfo; None if the request has no credentials of its schemes."""
        protection = self._protection
        try:
            token = protection.token_of(request._request)
            identity = None if token is None else protection.identify(request._request, token)
        except Denial as denial:
            if view := request.parser_context.get("view"):  # an exception of DRF has no other header than the challenge
                view.headers.update(denial.headers)
            raise
        if identity is None:
            return None
        headers = getattr(request.parser_context.get("view"), "headers", None)  # of the response, in a view of DRF
        if headers is not None:  # a cache must not give the response to another sender
            headers["Vary"] = ", ".join(filter(None, (headers.get("Vary"), "Authorization")))
        return identity.user, identity.info

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge for a request without credentials: no error code (RFC 6750 §3.1)."""
        return self.announcement.challenge()

    @property
    def announcement(self) -> Announcement:
        """The parameters of every challenge of this view."""
        return self._protection.announcement

    @property
    def _protection(self) -> Protection:
        return _protection(self.backend, self.realm, tuple(self.bearer_methods), tuple(self.schemes))


_protection = cache(Protection)
"""Make a protection once; there are as many as there are kinds of view."""


def presented_token(request: HttpRequest | Request) -> str:
    """Return the value of the access token by which a request was let in, to exchange it for another one.

    Takes the request of a view with IntrospectionAuthentication, `token_required` or ProtectedPaths. Raises ValueError
    if no token was accepted, whatever the request contains. The value is a secret: keep it out of logs and caches.
    """
    token = accepted_token(request._request if isinstance(request, Request) else request)
    if token is None:
        raise ValueError("No access token has been accepted for this request.")
    return token.value
