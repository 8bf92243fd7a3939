"""The refusals of a resource server: 400, 401, 403 and 503, each with its challenge (RFC 6750 §3).

None of these is an `AuthenticationFailed`: DRF turns that into 403 if another authenticator comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from django.http import HttpRequest, JsonResponse
from rest_framework import status
from rest_framework.exceptions import APIException

from ..protocol.challenge import challenge
from ..protocol.jwt import SIGNING_ALGORITHMS
from ..protocol.presented import BEARER, DPOP
from .extraction import header_scheme

DEFAULT_REALM = "api"


class Announcement(NamedTuple):
    """The parameters of every challenge of a view: realm, address of the metadata (RFC 9728 §5.1), accepted schemes."""

    realm: str = DEFAULT_REALM
    resource_metadata: str | None = None
    schemes: tuple[str, ...] = (BEARER,)

    def challenge(self, **params: str | None) -> str:
        """Render one challenge for each scheme; that of DPoP names the algorithms of proofs (RFC 9449 §7.1)."""
        algorithms = {DPOP: " ".join(SIGNING_ALGORITHMS)}
        return ", ".join(
            challenge(
                scheme,
                realm=self.realm,
                **params,
                algs=algorithms.get(scheme),
                resource_metadata=self.resource_metadata,
            )
            for scheme in self.schemes
        )

    def answering(self, request: HttpRequest) -> Announcement:
        """Return the announcement for a request with a token: that of the scheme that it used (RFC 9449 §7.2)."""
        used = header_scheme(request, self.schemes) or BEARER
        return self._replace(schemes=(used,)) if used in self.schemes else self


class Denial(APIException):
    """A refusal with a challenge; `error` is None if RFC 6750 §3.1 has no code for it.

    `parameters` are further ones of the challenge.
    """

    error: ClassVar[str | None] = None
    headers: Mapping[str, str] = {}
    """Further headers of the response."""

    def __init__(
        self, detail: Any = None, *, announcement: Announcement, scope: str | None = None, **parameters: str | None
    ) -> None:
        super().__init__(detail)
        description = str(self.detail) if self.error else None
        self.auth_header = announcement.challenge(
            error=self.error, error_description=description, scope=scope, **parameters
        )


class NotAuthenticated(Denial):
    """No token was sent."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = "Authentication credentials were not provided."
    default_code = "not_authenticated"


class InvalidResourceRequest(Denial):
    """The request is malformed."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_detail = "The request is malformed."
    default_code = error = "invalid_request"


class InvalidToken(Denial):
    """The token is rejected; only the log names the reason (RFC 7662 §4)."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = "The access token is unknown, expired, revoked or not for this resource."
    default_code = error = "invalid_token"


class InsufficientScope(Denial):
    """The token is valid and lacks a scope."""

    status_code = status.HTTP_403_FORBIDDEN
    default_detail = "The access token does not have the scope that is needed."
    default_code = error = "insufficient_scope"


class MissingClaim(Denial):
    """The token is valid and lacks a claim; no `insufficient_scope`, because no scope would help (RFC 6750 §3.1)."""

    status_code = status.HTTP_403_FORBIDDEN
    default_detail = "The access token does not have the claim that is needed."
    default_code = "permission_denied"


class InvalidDPoPProof(Denial):
    """The proof is missing or invalid (RFC 9449 §7.1); the answer names the reason."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = "The DPoP proof is missing or invalid."
    default_code = error = "invalid_dpop_proof"


class UseDPoPNonce(InvalidDPoPProof):
    """The proof needs the nonce that comes with this refusal (RFC 9449 §9)."""

    default_detail = "The DPoP proof must have the nonce of this answer."
    default_code = error = "use_dpop_nonce"

    def __init__(self, nonce: str, *, announcement: Announcement) -> None:
        super().__init__(announcement=announcement)
        self.headers = {"DPoP-Nonce": nonce, "Cache-Control": "no-store"}


class Unavailable(APIException):
    """The token could not be checked; the answer does not depend on the token."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The access token cannot be checked at the moment."
    default_code = "temporarily_unavailable"

    def __init__(self, *, retry_after: int) -> None:
        super().__init__()
        self.wait = retry_after


def plain_response(denial: APIException) -> JsonResponse:
    """Return the response that DRF would give, for a view of Django."""
    response = JsonResponse({"detail": str(denial.detail)}, status=denial.status_code)
    if auth_header := getattr(denial, "auth_header", None):
        response["WWW-Authenticate"] = auth_header
    for name, value in getattr(denial, "headers", {}).items():
        response[name] = value
    if wait := getattr(denial, "wait", None):
        response["Retry-After"] = str(wait)
    return response
