"""The errors by cause: a request that is refused, or a token whose state is unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

_NOT_ALLOWED = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")


def error_text(text: str) -> str:
    """Return `text` in the characters that an `error_description` may have (RFC 6749 §5.2)."""
    return _NOT_ALLOWED.sub("?", text)


class OAuthError(Exception):
    """Refuse a request with an error answer (RFC 6749 §5.2).

    `description` is public; `detail` is for the log and never leaves the process. `challenges` are
    rendered `WWW-Authenticate` values; `headers` are further headers of the answer.
    """

    error: ClassVar[str] = "invalid_request"
    status: int = 400

    def __init__(
        self,
        description: str = "",
        *,
        detail: str = "",
        status: int | None = None,
        challenges: tuple[str, ...] = (),
    ) -> None:
        super().__init__(self.error)
        self.description = error_text(description)
        self.detail = detail
        self.challenges = challenges
        self.headers: dict[str, str] = {}
        if status is not None:
            self.status = status

    def to_dict(self) -> dict[str, str]:
        """Return the members of the JSON answer."""
        answer = {"error": self.error}
        if self.description:
            answer["error_description"] = self.description
        return answer


class InvalidRequest(OAuthError):
    """The request is malformed."""


class InvalidClient(OAuthError):
    """Client authentication failed; always 401 with a challenge (RFC 6749 §5.2)."""

    error = "invalid_client"
    status = 401


class MissingCredentials(InvalidClient):
    """No credentials were sent. Some clients send them only after this answer, so it is not counted as a guess."""


class InvalidCaller(OAuthError):
    """The bearer token that authorizes a call is invalid or inactive (RFC 7662 §2.3)."""

    error = "invalid_token"
    status = 401


class InsufficientCaller(OAuthError):
    """The bearer token that authorizes a call lacks the scope: 401 here, not 403 (RFC 7662 §2.3)."""

    error = "insufficient_scope"
    status = 401


class InvalidGrant(OAuthError):
    """The grant or the presented token is inactive, or was issued to another client."""

    error = "invalid_grant"


class InvalidScope(OAuthError):
    """The scope is malformed, or exceeds the scope that the client may have."""

    error = "invalid_scope"


class InvalidTarget(OAuthError):
    """The resource is malformed or unknown, or the client may not request it (RFC 8707 §2)."""

    error = "invalid_target"


class InvalidAuthorizationDetails(OAuthError):
    """The authorization details are malformed, of a type that the client may not use, or more than it may have.

    See RFC 9396 §5.
    """

    error = "invalid_authorization_details"


class UnauthorizedClient(OAuthError):
    """The authenticated client may not do this."""

    error = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    """The grant type is not supported by this server."""

    error = "unsupported_grant_type"


class InvalidDPoPProof(OAuthError):
    """The DPoP proof is missing or invalid (RFC 9449 §5)."""

    error = "invalid_dpop_proof"


class UseDPoPNonce(OAuthError):
    """The DPoP proof needs the nonce that comes with this answer (RFC 9449 §8)."""

    error = "use_dpop_nonce"

    def __init__(self, nonce: str) -> None:
        super().__init__("The DPoP proof must have the nonce of this answer.")
        self.headers = {"DPoP-Nonce": nonce}


class TemporarilyUnavailable(OAuthError):
    """The server cannot answer now, and has decided nothing."""

    error = "temporarily_unavailable"
    status = 503


class TooManyRequests(OAuthError):
    """The caller was refused too often (RFC 6585 §4); `retry_after` is in seconds."""

    error = "temporarily_unavailable"
    status = 429

    def __init__(self, description: str, *, retry_after: int) -> None:
        super().__init__(description)
        self.retry_after = retry_after


class IntrospectionError(Exception):
    """Base class of the errors that introspection raises; it is never raised itself."""


class IntrospectionUnavailable(IntrospectionError):
    """Report that it is unknown whether a token is active, for example because a server does not answer.

    `retry_after` is in seconds. This error never means that the token is invalid.
    """

    def __init__(self, detail: str = "", *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after

    def fresh(self) -> Self:
        """Return the same error for another caller, because a traceback belongs to one caller."""
        return type(self)(str(self), retry_after=self.retry_after)


def database_failure(error: Exception) -> IntrospectionUnavailable:
    """Return the outage that an error of a database is; its class alone is named, because its text may quote values."""
    return IntrospectionUnavailable(f"the database does not answer: {type(error).__name__}")


class CredentialsRefused(IntrospectionUnavailable):
    """Report that the authorization server rejects the credentials of this resource server."""


class RevocationsLost(IntrospectionUnavailable):
    """Report that the cache of revocations has lost its data, so that it cannot show that a token is not revoked."""


class InvalidResponse(IntrospectionUnavailable):
    """Report that the response of the authorization server is not a valid introspection response."""


class ExchangeRefused(IntrospectionError):
    """Report that the authorization server rejects the request to exchange a token (RFC 8693 §2.2.2).

    `error` is the error code: `invalid_request` or `invalid_grant` for a token that is inactive or not for this client,
    `invalid_target` or `invalid_scope` for an API or a scope that it cannot be exchanged for. `members` are those of
    the response, which a server may fill with anything; they are not in the message.
    """

    def __init__(self, error: str, members: Mapping[str, Any]) -> None:
        super().__init__(f"the authorization server refuses to exchange the token: {error}")
        self.error = error
        self.members: Mapping[str, Any] = MappingProxyType(dict(members))
