"""What a resource server answers when it refuses: 400, 401, 403 and 503, each with its challenge (RFC 6750 §3).

None of these is an `AuthenticationFailed`: DRF turns that into 403 where another authenticator stands first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from ..protocol.challenge import challenge
from ..protocol.explanation import insufficient_scope
from ..protocol.jwt import SIGNING_ALGORITHMS
from ..protocol.presented import BEARER, DPOP
from ..protocol.token_info import TokenInfo
from .extraction import header_scheme
from .refusal_log import log_refusal

if TYPE_CHECKING:  # DRF imports the default authentication while it makes APIView
    from rest_framework.views import APIView

DEFAULT_REALM = "api"


class Announcement(NamedTuple):
    """What every challenge of a view says: its realm, where its metadata is (RFC 9728 §5.1), which schemes it takes."""

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
        """Return what is said to who sent a token: the challenge of the scheme that was used (RFC 9449 §7.2)."""
        used = header_scheme(request, self.schemes) or BEARER
        return self._replace(schemes=(used,)) if used in self.schemes else self


class Denial(APIException):
    """A refusal with a challenge; `error` is None where no token was sent (RFC 6750 §3.1)."""

    error: ClassVar[str | None] = None
    headers: Mapping[str, str] = {}
    """What the answer needs beside the challenge."""

    def __init__(self, detail: Any = None, *, announcement: Announcement, scope: str | None = None) -> None:
        super().__init__(detail)
        description = str(self.detail) if self.error else None
        self.auth_header = announcement.challenge(error=self.error, error_description=description, scope=scope)


class NotAuthenticated(Denial):
    """No token was sent."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = _("Authentication credentials were not provided.")
    default_code = "not_authenticated"


class InvalidResourceRequest(Denial):
    """The request is malformed."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_detail = _("The request is malformed.")
    default_code = error = "invalid_request"


class InvalidToken(Denial):
    """The token is not good here; why is nobody's business but the log's."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = _("The access token is unknown, expired, revoked or not for this resource.")
    default_code = error = "invalid_token"


class InsufficientScope(Denial):
    """The token is good and its scope does not reach."""

    status_code = status.HTTP_403_FORBIDDEN
    default_detail = _("The access token does not have the scope that is needed.")
    default_code = error = "insufficient_scope"


class InvalidDPoPProof(Denial):
    """The proof is missing or not good (RFC 9449 §7.1); its sender made it, and is told why."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = _("The DPoP proof is missing or not good.")
    default_code = error = "invalid_dpop_proof"


class UseDPoPNonce(InvalidDPoPProof):
    """The proof needs the nonce that comes with this refusal (RFC 9449 §9)."""

    default_detail = _("The DPoP proof must have the nonce of this answer.")
    default_code = error = "use_dpop_nonce"

    def __init__(self, nonce: str, *, announcement: Announcement) -> None:
        super().__init__(announcement=announcement)
        self.headers = {"DPoP-Nonce": nonce, "Cache-Control": "no-store"}


class Unavailable(APIException):
    """It could not be found out whether the token is good; says nothing about the token."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _("The access token cannot be checked at the moment.")
    default_code = "temporarily_unavailable"

    def __init__(self, *, retry_after: int) -> None:
        super().__init__()
        self.wait = retry_after


class ScopeDenial:
    """Watch one view refuse one request, and say which scope was missing.

    A scope permission must return False and not raise, or `|` would never ask the other side; so it notes what
    was missing here, and the challenge is added when the view turns the request down.
    """

    def __init__(self, view: APIView) -> None:
        self.missing: tuple[str, ...] | None = None
        self._view = view
        self._object: Any = None
        self._deny = view.permission_denied
        self._check_object = view.check_object_permissions

    @classmethod
    def of(cls, view: APIView) -> ScopeDenial:
        """Return the one of this view, wrapping the view's methods the first time."""
        existing = view.__dict__.get("_introspection_denial")
        if isinstance(existing, cls):
            return existing
        denial = cls(view)
        view.__dict__.update(
            _introspection_denial=denial,
            permission_denied=denial.permission_denied,
            check_object_permissions=denial.check_object_permissions,
        )
        return denial

    def note(self, missing: tuple[str, ...]) -> None:
        """Keep the scope that a permission did not find."""
        self.missing = missing

    def check_object_permissions(self, request: Request, obj: Any) -> None:
        """Stand in for the view's method, to know what is looked at."""
        self._object = obj
        self._check_object(request, obj)

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> None:
        """Stand in for the view's method."""
        if not self._scope_decided(request):
            self._deny(request, message, code)
        announcement = announcement_of(request)
        if request.authenticators and not request.successful_authenticator:
            raise NotAuthenticated(announcement=announcement)
        if isinstance(request.auth, TokenInfo):
            rejection = insufficient_scope(request.auth, self.missing or ())
            log_refusal("access token refused view=%s: %s", type(self._view).__name__, rejection)
        answering = announcement.answering(request._request)
        raise InsufficientScope(message, announcement=answering, scope=" ".join(self.missing or ()))

    def _scope_decided(self, request: Request) -> bool:
        """Tell whether the permission that failed holds a scope permission that missed something.

        The view does not say which one it was, so the permissions are asked again, in order.
        """
        missing, permissions = self.missing, self._view.get_permissions()
        failed = permissions if len(permissions) == 1 else self._failed(request, permissions)
        if len(failed) == len(permissions):
            self.missing = missing
        return self.missing is not None and any(map(holds_scope, failed))

    def _failed(self, request: Request, permissions: Sequence[Any]) -> Sequence[Any]:
        """Return the permission that failed and note what it missed; all where it cannot be told without the object."""
        if any(iscoroutinefunction(permission.has_permission) for permission in permissions):  # adrf
            return permissions
        for permission in permissions:
            self.missing = None
            if not permission.has_permission(request, self._view):
                return [permission]
        for permission in permissions if self._object is not None else ():
            self.missing = None
            if not permission.has_object_permission(request, self._view, self._object):
                return [permission]
        return permissions


class ScopePermission(BasePermission):
    """Base of the permissions whose refusal names a scope."""


def holds_scope(permission: Any) -> bool:
    """Tell whether a permission is, or is composed of, a scope permission."""
    if isinstance(permission, ScopePermission):
        return True
    operands = (getattr(permission, name, None) for name in ("op1", "op2"))
    return any(holds_scope(operand) for operand in operands if operand is not None)


def announcement_of(request: Request) -> Announcement:
    """Return what the view's authenticators announce: the one that authenticated first, if it is ours."""
    authenticators = (request.successful_authenticator, *(request.authenticators or ()))
    announcements = (getattr(each, "announcement", None) for each in authenticators)
    return next((each for each in announcements if isinstance(each, Announcement)), Announcement())


def plain_response(denial: APIException) -> JsonResponse:
    """Return the answer that DRF would give, for a view that is not DRF's."""
    response = JsonResponse({"detail": str(denial.detail)}, status=denial.status_code)
    if auth_header := getattr(denial, "auth_header", None):
        response["WWW-Authenticate"] = auth_header
    for name, value in getattr(denial, "headers", {}).items():
        response[name] = value
    if wait := getattr(denial, "wait", None):
        response["Retry-After"] = str(wait)
    return response
