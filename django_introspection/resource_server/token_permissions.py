"""The kinds of permission that read the token, and the scopes that satisfy a composition of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, product
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from rest_framework.permissions import AND, OR, BasePermission, BasePermissionMetaclass
from rest_framework.request import Request

from ..protocol.claims import RequiredClaim
from ..protocol.token_info import TokenInfo

if TYPE_CHECKING:  # DRF imports the default authentication while it makes APIView
    from rest_framework.views import APIView

Scopes = tuple[str, ...]
Alternatives = list[Scopes]
"""Sets of scopes, any of which is enough; without an element, no scope is."""
Unscoped = Callable[[Any], Alternatives | None]
"""Takes a permission that is not about scope; returns `[()]` if it allows the request, `[]` if not, None if unknown."""

NO_SCOPE = "\0"
"""Stands for a scope that no token can have."""
CLAIM = "\0claim"
"""Stands, beside scopes, for a claim that the token does not have, and that no scope can replace."""


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
    """Base of the permissions that require a value of a claim."""

    claim: ClassVar[RequiredClaim]

    def is_held(self, request: Request) -> bool:
        """Return whether the token of a request has the value."""
        return isinstance(request.auth, TokenInfo) and self.claim.is_held(request.auth)


def reads_token(permission: Any) -> bool:
    """Return whether a permission is, or is composed of, one that reads the token."""
    if isinstance(permission, TokenPermission):
        return True
    operands = (getattr(permission, name, None) for name in ("op1", "op2"))
    return any(reads_token(operand) for operand in operands if operand is not None)


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
