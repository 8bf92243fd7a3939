"""The refusal of a view for lack of scope: it names every scope that the request needs (RFC 6750 §3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from inspect import iscoroutinefunction
from itertools import chain, product
from typing import TYPE_CHECKING, Any

from rest_framework.permissions import AND, OR, BasePermission
from rest_framework.request import Request

from ..protocol.explanation import insufficient_scope
from ..protocol.token_info import TokenInfo
from .denial import Announcement, InsufficientScope, NotAuthenticated
from .refusal_log import log_refusal

if TYPE_CHECKING:  # DRF imports the default authentication while it makes APIView
    from rest_framework.views import APIView

Scopes = tuple[str, ...]
Alternatives = list[Scopes]
"""Sets of scopes, any of which is enough; without an element, no scope is."""
Unscoped = Callable[[Any], Alternatives | None]
"""Takes a permission that is not about scope; returns `[()]` if it allows the request, `[]` if not, None if unknown."""

NO_SCOPE = "\0"
"""Stands for a scope that no token can have."""


class ScopePermission(BasePermission):
    """Base of the permissions whose refusal names a scope."""

    def required(self, view: APIView, method: str) -> Scopes | None:
        """Return the scopes that a request needs, None if the view opens this method and action to no scope."""
        raise NotImplementedError


def holds_scope(permission: Any) -> bool:
    """Return whether a permission is, or is composed of, a scope permission."""
    if isinstance(permission, ScopePermission):
        return True
    operands = (getattr(permission, name, None) for name in ("op1", "op2"))
    return any(holds_scope(operand) for operand in operands if operand is not None)


def scope_alternatives(permission: Any, view: APIView, method: str, unscoped: Unscoped) -> Alternatives | None:
    """Return the sets of scopes that satisfy a permission or composition, None if that is unknown."""
    if isinstance(permission, ScopePermission):
        required = permission.required(view, method)
        return [(NO_SCOPE,) if required is None else required]
    if not isinstance(permission, (AND, OR)):
        return unscoped(permission)
    composed: Any = permission
    operands = [scope_alternatives(each, view, method, unscoped) for each in (composed.op1, composed.op2)]
    if isinstance(permission, OR):
        return list(chain.from_iterable(filter(None, operands)))
    return every_scope(operands)


def every_scope(choices: Iterable[Alternatives | None]) -> Alternatives:
    """Return the sets of scopes that satisfy all of several permissions."""
    known = [[()] if each is None else each for each in choices]
    return list(dict.fromkeys(tuple(dict.fromkeys(chain(*chosen))) for chosen in product(*known)))


class ScopeDenial:
    """Watch one view refuse one request, and say which scope it needs.

    A scope permission must return False and not raise, or `|` would never ask the other side; so it notes what
    was missing here, and the challenge is added when the view turns the request down.
    """

    def __init__(self, view: APIView) -> None:
        self._missed: list[Scopes] = []
        self._view = view
        self._object: Any = None
        self._deny: Callable[..., None] = view.permission_denied
        self._check_object = view.check_object_permissions

    @classmethod
    def note(cls, view: APIView, missing: Scopes | None) -> None:
        """Keep the scope that a permission did not find; wrap the view's methods the first time."""
        denial: ScopeDenial | None = view.__dict__.get("_introspection_denial")
        if denial is None:
            denial = cls(view)
            view.__dict__.update(
                _introspection_denial=denial,
                permission_denied=denial.permission_denied,
                check_object_permissions=denial.check_object_permissions,
            )
        denial._missed.append((NO_SCOPE,) if missing is None else missing)

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
        scope = None if NO_SCOPE in needed else " ".join(needed)
        announcement = announcement_of(request)
        if request.authenticators and not request.successful_authenticator:
            raise NotAuthenticated(announcement=announcement, scope=scope)
        self._log(request, scope)
        raise InsufficientScope(message, announcement=announcement.answering(request._request), scope=scope)

    def _log(self, request: Request, scope: str | None) -> None:
        name = type(self._view).__name__
        if scope is None:
            log_refusal("access token refused view=%s: the view names no scope for %a", name, request.method)
        elif isinstance(request.auth, TokenInfo):
            rejection = insufficient_scope(request.auth, scope.split(" "))
            log_refusal("access token refused view=%s: %s", name, rejection)

    def _needed(self, request: Request) -> Scopes | None:
        """Return the shortest set of scopes that opens this request, None if it was not refused for its scope.

        The view does not say which permission failed, so each is asked again. Permissions that no scope satisfies do
        not count, unless the view refused for the first of these.
        """
        granted = request.auth.scopes if isinstance(request.auth, TokenInfo) else frozenset[str]()
        choices: list[Alternatives] = []
        failed: Alternatives | None = None
        for permission in self._view.get_permissions():
            if failed is None or holds_scope(permission):
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
        return min(sufficient, key=lambda scopes: (NO_SCOPE in scopes, len(scopes), len({*scopes} - granted)))

    def _alternatives(self, request: Request, permission: Any) -> Alternatives:
        known = scope_alternatives(permission, self._view, request.method or "", partial(self._unscoped, request))
        return [()] if known is None else known

    def _unscoped(self, request: Request, permission: Any) -> Alternatives | None:
        """Return whether a permission that is not about scope allows the request, as alternatives."""
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
