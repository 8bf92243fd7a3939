"""The refusal of a view for lack of a scope, or of what else it requires, with the challenge that helps the client.

See RFC 6750 §3 and RFC 9470 §3.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from rest_framework.request import Request

from ..protocol.explanation import MAX_VALUES, insufficient_scope
from ..protocol.token_info import TokenInfo
from .denial import Announcement, NotAuthenticated
from .refusal_log import log_refusal
from .requirements import Requirement, refusal
from .token_permissions import (
    NO_SCOPE,
    Alternatives,
    ClaimPermission,
    Needs,
    Scopes,
    alternatives_of,
    every_need,
    reads_token,
)

if TYPE_CHECKING:  # DRF imports the default authentication while it makes APIView
    from rest_framework.views import APIView


class TokenDenial:
    """Watch one view refuse one request, and say which scope it needs, or which requirement is unmet.

    A permission must return False and not raise, or `|` would never ask the other side; so it notes what was missing
    here, and the challenge is added when the view turns the request down.
    """

    def __init__(self, view: APIView) -> None:
        self._missed: list[Needs] = []
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

    def note_unmet(self, unmet: Requirement) -> None:
        """Keep the requirement that a token did not meet."""
        self._missed.append((unmet,))

    def check_object_permissions(self, request: Request, obj: Any) -> None:
        """Stand in for the view's method, to know the object."""
        self._object = obj
        self._check_object(request, obj)

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> None:
        """Stand in for the view's method."""
        sufficient = self._sufficient(request)
        if not sufficient:
            self._deny(request, message, code)
            return
        needed = sufficient[0]
        if NO_SCOPE in needed:  # no token opens this method, whatever else it shows
            needed = ()
        scopes = [each for each in needed if isinstance(each, str)]
        announcement = announcement_of(request)
        if request.authenticators and not request.successful_authenticator:
            raise NotAuthenticated(announcement=announcement, scope=" ".join(scopes))
        unmet = [each for each in needed if isinstance(each, Requirement)]
        self._log(request, sufficient)
        raise refusal(
            unmet,
            announcement=announcement.answering(request._request),
            needed=scopes,
            lacks_scope=not _granted(request).issuperset(scopes),
            message=message,
        )

    def _log(self, request: Request, sufficient: Alternatives) -> None:
        """Log what the token lacks of each set of needs, since any of them would have opened the view."""
        name, info = type(self._view).__name__, request.auth
        possible = [needs for needs in sufficient if NO_SCOPE not in needs]
        if not possible:
            log_refusal("access token refused view=%s: the view names no scope for %a", name, request.method)
        elif isinstance(info, TokenInfo):
            reasons = list(dict.fromkeys(_explained(info, needs) for needs in possible))
            shown = reasons[:MAX_VALUES] + ["…"] * (len(reasons) > MAX_VALUES)
            log_refusal("access token refused view=%s: %s", name, "; or ".join(shown))

    def _sufficient(self, request: Request) -> Alternatives:
        """Return the sets of needs that open this request, the shortest first; none if it was refused for another one.

        The view does not say which permission failed, so each is asked again. Permissions that nothing satisfies do
        not count, unless the view refused for the first of these. Alternatives of scopes alone go first, then those
        that a step-up opens.
        """
        granted = _granted(request)
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
            return []
        sufficient = every_need(filter(None, choices))
        return sorted(sufficient, key=lambda each: (NO_SCOPE in each, _rank(each), len(each), len({*each} - granted)))

    def _alternatives(self, request: Request, permission: Any) -> Alternatives:
        known = alternatives_of(permission, self._view, request.method or "", partial(self._unscoped, request))
        return [()] if known is None else known

    def _unscoped(self, request: Request, permission: Any) -> Alternatives | None:
        """Return whether a permission that is not about scope allows the request, as alternatives."""
        if isinstance(permission, ClaimPermission):
            return [()] if permission.is_met(request) else [(permission.requirement,)]
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
        """Return the alternatives that the token does not have and that need what was missed."""
        return [
            each
            for each in alternatives
            if not granted.issuperset(each) and any({*missed} <= {*each} for missed in self._missed)
        ]


def _granted(request: Request) -> frozenset[str]:
    return request.auth.scopes if isinstance(request.auth, TokenInfo) else frozenset()


def _explained(info: TokenInfo, needs: Needs) -> str:
    """Return what a token lacks of a set of needs: the requirements, which go before the scope."""
    unmet = [each.explain(info) for each in needs if isinstance(each, Requirement)]
    return " and ".join(unmet) or str(insufficient_scope(info, [each for each in needs if isinstance(each, str)]))


def _rank(needs: Needs) -> int:
    return max((each.rank for each in needs if isinstance(each, Requirement)), default=-1)


def announcement_of(request: Request) -> Announcement:
    """Return what the view's authenticators announce: the one that authenticated first, if it is ours."""
    authenticators = (request.successful_authenticator, *(request.authenticators or ()))
    announcements = (getattr(each, "announcement", None) for each in authenticators)
    return next((each for each in announcements if isinstance(each, Announcement)), Announcement())
