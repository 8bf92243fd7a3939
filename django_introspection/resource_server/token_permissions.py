"""The kinds of permission that read the token, and what a token needs to satisfy a composition of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, product
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from rest_framework.permissions import AND, OR, BasePermission, BasePermissionMetaclass
from rest_framework.request import Request

from ..protocol.token_info import TokenInfo
from .requirements import Requirement

if TYPE_CHECKING:  # DRF imports the default authentication while it makes APIView
    from rest_framework.views import APIView

Scopes = tuple[str, ...]
Needs = tuple[str | Requirement, ...]
"""Scopes, and requirements that the token does not meet and that no scope can replace."""
Alternatives = list[Needs]
"""Sets of needs, any of which is enough; without an element, nothing is."""
Unscoped = Callable[[Any], Alternatives | None]
"""Takes a permission that is not about scope; returns `[()]` if it allows the request, `[]` if not, None if unknown."""

NO_SCOPE = "\0"
"""Stands for a scope that no token can have."""


class NoInversion(BasePermissionMetaclass):
    """Refuse `~`."""

    def __invert__(self) -> NoReturn:
        raise TypeError("a permission that reads the token cannot be inverted: no request is required to lack a right")


class TokenPermission(BasePermission, metaclass=NoInversion):
    """Base of the permissions that read the token, and nothing else."""


class ScopePermission(TokenPermission):
    """Base of the permissions whose refusal names a scope."""

    def required(self, view: APIView, method: str) -> Scopes | None:
        """Return the scopes that a request needs, None if the view opens this method and action to no scope."""
        raise NotImplementedError


class ClaimPermission(TokenPermission):
    """Base of the permissions that require something of the claims of a token other than its scope."""

    requirement: ClassVar[Requirement]

    def is_met(self, request: Request) -> bool:
        """Return whether the token of a request meets the requirement."""
        return isinstance(request.auth, TokenInfo) and self.requirement.is_met(request.auth)


def reads_token(permission: Any) -> bool:
    """Return whether a permission is, or is composed of, one that reads the token."""
    if isinstance(permission, TokenPermission):
        return True
    operands = (getattr(permission, name, None) for name in ("op1", "op2"))
    return any(reads_token(operand) for operand in operands if operand is not None)


def alternatives_of(permission: Any, view: APIView, method: str, unscoped: Unscoped) -> Alternatives | None:
    """Return the sets of needs that satisfy a permission or composition, None if that is unknown."""
    if isinstance(permission, ScopePermission):
        required = permission.required(view, method)
        return [(NO_SCOPE,) if required is None else required]
    if not isinstance(permission, (AND, OR)):
        return unscoped(permission)
    composed: Any = permission
    operands = [alternatives_of(each, view, method, unscoped) for each in (composed.op1, composed.op2)]
    if isinstance(permission, OR):
        return list(chain.from_iterable(filter(None, operands)))
    return every_need(operands)


def every_need(choices: Iterable[Alternatives | None]) -> Alternatives:
    """Return the sets of needs that satisfy all of several permissions."""
    known = [[()] if each is None else each for each in choices]
    return list(dict.fromkeys(tuple(dict.fromkeys(chain(*chosen))) for chosen in product(*known)))
