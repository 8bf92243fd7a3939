"""The refusal of a view for lack of a scope or a claim, with the challenge that helps the client (RFC 6750 §3)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from rest_framework.request import Request

from ..protocol.claims import RequiredClaim
from ..protocol.explanation import insufficient_scope, missing_claim
from ..protocol.token_info import TokenInfo
from .denial import Announcement, InsufficientScope, MissingClaim, NotAuthenticated
from .refusal_log import log_refusal
from .token_permissions import (
    CLAIM,
    NO_SCOPE,
    Alternatives,
    ClaimPermission,
    Scopes,
    every_scope,
    reads_token,
    scope_alternatives,
)

if TYPE_CHECKING:  # DRF imports the default authentication while it makes APIView
    from rest_framework.views import APIView


class TokenDenial:
    """Watch one view refuse one request, and say which scope it needs, or that a claim is missing.

    A permission must return False and not raise, or `|` would never ask the other side; so it notes what was missing
    here, and the challenge is added when the view turns the request down.
    """

    def __init__(self, view: APIView) -> None:
        self._missed: list[Scopes] = []
        self._claims: dict[RequiredClaim, None] = {}
        self._view = view
        self._object: Any = None
        self._deny: Callable[..., None] = view.permission_denied
        self._check_object = view.check_object_permissions

    @classmethod
    def of(cls, view: APIView) -> TokenDenial:
        """Return that of a view; wraps the view's methods the first time."""
        denial: TokenDenial | None = view.__dict__.get("_introspection_denial")
        if denial is None:
            denial = cls(view)
            view.__dict__.update(
                _introspection_denial=denial,
                permission_denied=denial.permission_denied,
                check_object_permissions=denial.check_object_permissions,
            )
        return denial

    def note_scope(self, missing: Scopes | None) -> None:
        """Keep the scope that a permission did not find."""
        self._missed.append((NO_SCOPE,) if missing is None else missing)

    def note_claim(self, missing: RequiredClaim) -> None:
        """Keep the claim that a permission did not find."""
        self._missed.append((CLAIM,))
        self._claims[missing] = None

    def check_object_permissions(self, request: Request, obj: Any) -> None:
        """Stand in for the view's method, to know the object."""
        self._object = obj
        self._check_object(request, obj)

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> None:
        """Stand in for the view's method."""
        needed = self._needed(request)
        if needed is None:
            self._deny(request, message, code)
            return
        scope = None if NO_SCOPE in needed else " ".join(name for name in needed if name != CLAIM)
        announcement = announcement_of(request)
        if request.authenticators and not request.successful_authenticator:
            raise NotAuthenticated(announcement=announcement, scope=scope)
        announcement = announcement.answering(request._request)
        if CLAIM in needed:
            self._log_claims(request)
            raise MissingClaim(message, announcement=announcement)
        self._log(request, scope)
        raise InsufficientScope(message, announcement=announcement, scope=scope)

    def _log(self, request: Request, scope: str | None) -> None:
        name = type(self._view).__name__
        if scope is None:
            log_refusal("access token refused view=%s: the view names no scope for %a", name, request.method)
        elif isinstance(request.auth, TokenInfo):
            rejection = insufficient_scope(request.auth, scope.split(" "))
            log_refusal("access token refused view=%s: %s", name, rejection)

    def _log_claims(self, request: Request) -> None:
        if isinstance(request.auth, TokenInfo):
            for claim in self._claims:
                explained = missing_claim(request.auth, claim)
                log_refusal("access token refused view=%s: %s", type(self._view).__name__, explained)

    def _needed(self, request: Request) -> Scopes | None:
        """Return the shortest set of scopes that opens this request, None if it was not refused for its scope.

        The view does not say which permission failed, so each is asked again. Permissions that no scope satisfies do
        not count, unless the view refused for the first of these. `CLAIM` stands for a missing claim; alternatives of
        scopes alone go first.
        """
        granted = request.auth.scopes if isinstance(request.auth, TokenInfo) else frozenset[str]()
        choices: list[Alternatives] = []
        failed: Alternatives | None = None
        for permission in self._view.get_permissions():
            if failed is None or reads_token(permission):
                alternatives = self._alternatives(request, permission)
                choices.append(alternatives)
                if failed is None and not any(map(granted.issuperset, alternatives)):
                    failed = alternatives
        if failed is None:  # a permission failed for an object that the view had before a scope was missed
            choices = [self._lacking(each, granted) or each for each in choices]
            failed = next((each for each in choices if not any(map(granted.issuperset, each))), [])
        if not failed:
            return None
        sufficient = every_scope(filter(None, choices))
        return min(sufficient, key=lambda each: (NO_SCOPE in each, CLAIM in each, len(each), len({*each} - granted)))

    def _alternatives(self, request: Request, permission: Any) -> Alternatives:
        known = scope_alternatives(permission, self._view, request.method or "", partial(self._unscoped, request))
        return [()] if known is None else known

    def _unscoped(self, request: Request, permission: Any) -> Alternatives | None:
        """Return whether a permission that is not about scope allows the request, as alternatives."""
        if isinstance(permission, ClaimPermission):
            return [()] if permission.is_held(request) else [(CLAIM,)]
        if iscoroutinefunction(permission.has_permission):  # of adrf
            return None
        try:
            allows = permission.has_permission(request, self._view) and (
                self._object is None or permission.has_object_permission(request, self._view, self._object)
            )
        except Exception:  # noqa: BLE001 - a permission may rely on those before it, which the view had asked first
            allows = False
        return [()] if allows else []

    def _lacking(self, alternatives: Alternatives, granted: frozenset[str]) -> Alternatives:
        """Return the alternatives that the token does not have and that need a scope which was missed."""
        return [
            each
            for each in alternatives
            if not granted.issuperset(each) and any({*missed} <= {*each} for missed in self._missed)
        ]


def announcement_of(request: Request) -> Announcement:
    """Return what the view's authenticators announce: the one that authenticated first, if it is ours."""
    authenticators = (request.successful_authenticator, *(request.authenticators or ()))
    announcements = (getattr(each, "announcement", None) for each in authenticators)
    return next((each for each in announcements if isinstance(each, Announcement)), Announcement())
