"""Permissions by scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import BasePermissionMetaclass
from rest_framework.request import Request

from .protocol.scope import parse_scope
from .protocol.token_info import TokenInfo
from .resource_server.denial import ScopeDenial, ScopePermission

if TYPE_CHECKING:  # DRF imports the default authentication while it makes APIView
    from rest_framework.views import APIView

__all__ = ["HasScope", "requires_scope"]


class _NoInversion(BasePermissionMetaclass):
    def __invert__(self) -> NoReturn:
        raise TypeError("a scope permission cannot be inverted: nobody is asked to lack a scope")


class HasScope(ScopePermission, metaclass=_NoInversion):
    """Allow requests whose token has every scope that the view names in `required_scopes`.

    `required_scopes` is a list, or a dictionary of lists by HTTP method or by action of a ViewSet, which goes first.
    HEAD counts as GET, and what is not named is refused. Composes with `&` and `|`; a refusal is 403
    `insufficient_scope` and names the scope.
    """

    scopes: ClassVar[tuple[str, ...] | None] = None

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the token's scope reaches, and note it where it does not."""
        required = self.required(view, request.method or "")
        if required is not None and isinstance(request.auth, TokenInfo) and request.auth.scopes.issuperset(required):
            return True
        ScopeDenial.of(view).note(required or ())
        return False

    def required(self, view: APIView, method: str) -> tuple[str, ...] | None:
        """Return the scopes that are asked for; None for a method and action that the view does not name."""
        return _required(view, method) if self.scopes is None else self.scopes


@cache
def requires_scope(*scopes: str) -> type[HasScope]:
    """Return a permission class that asks for every one of these scopes; raises ValueError for a broken one."""
    required = _tokens(scopes)
    if not required:
        raise ValueError("name at least one scope")
    return type("RequiresScope", (HasScope,), {"scopes": required, "__module__": __name__})


def _required(view: APIView, method: str) -> tuple[str, ...] | None:
    """Return what the view asks for; None for a method and action that it does not name."""
    declared: Any = getattr(view, "required_scopes", None)
    if isinstance(declared, Mapping):
        names = (getattr(view, "action", None), "GET" if method == "HEAD" else method)
        name = next((name for name in names if name in declared), None)
        if name is None:
            return None
        declared = declared[name]
    if isinstance(declared, str) or not isinstance(declared, Iterable):
        raise _misdeclared(view)
    try:
        return _tokens(declared)
    except ValueError as error:
        raise _misdeclared(view) from error


def _tokens(scopes: Iterable[Any]) -> tuple[str, ...]:
    named = list(scopes)
    if not all(isinstance(scope, str) and scope for scope in named):
        raise ValueError("a scope is a string that is not empty")
    return tuple(token for scope in named for token in parse_scope(scope))


def _misdeclared(view: APIView) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{type(view).__name__}.required_scopes: a list of scopes is expected")
