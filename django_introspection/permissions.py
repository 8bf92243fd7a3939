"""Permissions by scope, by claims such as roles, by the authentication of the user, and by authorization details."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework.request import Request

from .exceptions import InvalidDeclaration
from .protocol.claims import ClaimName, ClaimValue, Path, RequiredClaim
from .protocol.scope import parse_scope
from .protocol.token_info import TokenInfo
from .resource_server.requirements import ClaimRequirement, Requirement
from .resource_server.token_denial import TokenDenial
from .resource_server.token_permissions import ClaimPermission, NoInversion, ScopePermission

if TYPE_CHECKING:  # DRF imports the default authentication while it makes APIView
    from rest_framework.views import APIView

    from .protocol.authorization_details import RequiredDetails
    from .protocol.step_up import StepUp

__all__ = ["HasScope", "requires_authorization_details", "requires_claim", "requires_scope", "requires_step_up"]

Declared = tuple[str, ...] | dict[str, tuple[str, ...]]
"""The scopes that a view requires, or its scopes by method and action."""

_MAX_DECLARATIONS = 1024
_declarations: dict[int, tuple[Any, Declared]] = {}
"""Each declaration by its `id`, with the declaration itself, so that no other object gets the same `id`."""


class _WithoutArguments(NoInversion):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if args:
            raise TypeError(f"{self.__name__} takes no scopes: write requires_scope({', '.join(map(repr, args))})")
        return super().__call__(**kwargs)


class HasScope(ScopePermission, metaclass=_WithoutArguments):
    """Allow requests whose token has every scope that the view names in `required_scopes`.

    `required_scopes` is a list, tuple or set of scopes, or a dictionary of these by HTTP method or by action of a
    ViewSet, which goes first. HEAD counts as GET, and a method or action that is not named is refused. It is read once:
    a change to the list of a running process has no effect. Composes with `&` and `|`. A refusal is 403
    `insufficient_scope` and names every scope that the request needs. Raises ImproperlyConfigured for anything else,
    such as an iterator, which would be empty for the second request.
    """

    scopes: ClassVar[tuple[str, ...] | None] = None

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the token has the scope, and note the scope if it does not."""
        required = self.required(view, request.method or "")
        if required is not None and isinstance(request.auth, TokenInfo) and request.auth.scopes.issuperset(required):
            return True
        TokenDenial.of(view).note_scope(required)
        return False

    def required(self, view: APIView, method: str) -> tuple[str, ...] | None:
        """Return the scopes that a request needs; None for a method and action that the view does not name."""
        if self.scopes is not None:
            return self.scopes
        declared = _declared(view)
        if isinstance(declared, tuple):
            return declared
        action = getattr(view, "action", None)
        return declared[action] if action in declared else declared.get("GET" if method == "HEAD" else method)


@cache
def requires_scope(*scopes: str) -> type[HasScope]:
    """Return a permission class that requires every one of these scopes; raises ValueError for an invalid one."""
    required = _tokens(scopes)
    if not required:
        raise ValueError("name at least one scope")
    return type("RequiresScope", (HasScope,), {"scopes": required, "__module__": __name__})


class _MeetsRequirement(ClaimPermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the token meets the requirement, and note the requirement if it does not."""
        if self.is_met(request):
            return True
        TokenDenial.of(view).note_unmet(self.requirement)
        return False


def requires_claim(name: ClaimName, *values: ClaimValue) -> type[ClaimPermission]:
    """Return a permission class that requires a claim of the token to be, or to contain, any of these values.

    `name` is the exact name of one member (`"roles"`, `"cognito:groups"`), or a list of names that leads to a nested
    one (`["realm_access", "roles"]`). Values are compared whole, by value and type: `True` is not `1`, and a string is
    never split. The claim may be a value, a list of values, or an object whose names are the roles and whose values are
    objects. Composes with `&` and `|`. A refusal is 403 with a challenge without an error code, because no scope would
    help (RFC 6750 §3.1). Raises ValueError for an empty name or value, for the scope, for no value, and for a string
    with a dot that seems to be a path; TypeError for other types.
    """
    required = RequiredClaim.named(name, *values)
    return _claim_permission(required.path, *required.values)


@lru_cache(maxsize=1024, typed=True)  # typed: True and 1 are equal, and not the same claim
def _claim_permission(path: Path, *values: ClaimValue) -> type[ClaimPermission]:
    return _permission("RequiresClaim", ClaimRequirement(RequiredClaim(path, values)))


def requires_step_up(*, acr_values: Iterable[str] = (), max_age: int | None = None) -> type[ClaimPermission]:
    """Return a permission class that requires an authentication of the user, by the claims `acr` and `auth_time`.

    `acr_values` are the authentication contexts of which the token must name one, in the order of preference: a list,
    a tuple, or a string with one space between. `max_age` is the age of the authentication in whole seconds; the clocks
    may differ by LEEWAY. A token that lacks such a claim is refused. Composes with `&` and `|`. A refusal is 401
    `insufficient_user_authentication` with both parameters, and with the scope if the token lacks that too (RFC 9470
    §3). Raises ValueError if both are missing, for a negative `max_age` and for a value that a challenge cannot name;
    TypeError for other types.
    """
    from .protocol.step_up import StepUp

    return _step_up_permission(StepUp.read(acr_values, max_age))


@lru_cache(maxsize=1024)
def _step_up_permission(step_up: StepUp) -> type[ClaimPermission]:
    from .resource_server.step_up import StepUpRequirement

    return _permission("RequiresStepUp", StepUpRequirement(step_up))


def requires_authorization_details(
    details_type: str,
    /,
    *,
    actions: Sequence[str] = (),
    locations: Sequence[str] = (),
    datatypes: Sequence[str] = (),
    privileges: Sequence[str] = (),
    identifier: str | None = None,
) -> type[ClaimPermission]:
    """Return a permission class that requires one object of this type in the authorization details of a token.

    The object must have every value of each list that is given, and the `identifier`; strings are compared whole, and
    further fields do not matter. Composes with `&` and `|`. A refusal is 403 `insufficient_scope` that names the type,
    because RFC 9396 has no error code for an API, and the scope if the token lacks that too. Raises ValueError for an
    empty string, TypeError for other types.
    """
    from .protocol.authorization_details import RequiredDetails

    lists = {"actions": actions, "locations": locations, "datatypes": datatypes, "privileges": privileges}
    return _details_permission(RequiredDetails.read(details_type, identifier=identifier, **lists))


@lru_cache(maxsize=1024)
def _details_permission(details: RequiredDetails) -> type[ClaimPermission]:
    from .resource_server.required_details import DetailsRequirement

    return _permission("RequiresAuthorizationDetails", DetailsRequirement(details))


def _permission(name: str, requirement: Requirement) -> type[ClaimPermission]:
    return type(name, (_MeetsRequirement,), {"requirement": requirement, "__module__": __name__})


def _declared(view: APIView) -> Declared:
    """Return what a view requires; raises InvalidDeclaration."""
    declaration = getattr(view, "required_scopes", None)
    known = _declarations.get(id(declaration))
    if known is not None and known[0] is declaration:
        return known[1]
    try:
        declared = _read(declaration)
    except (TypeError, ValueError) as error:
        place = f"{type(view).__module__}.{type(view).__qualname__}.required_scopes"
        if declaration is None:
            raise InvalidDeclaration(f"{place} is not set.") from error
        problem = "must be a list, tuple or set of scopes, or a dictionary of them by method or action"
        raise InvalidDeclaration(f"{place} {problem}.") from error
    if len(_declarations) >= _MAX_DECLARATIONS:  # a view that makes a new list for each request
        _declarations.clear()
    _declarations[id(declaration)] = declaration, declared
    return declared


def _read(declaration: Any) -> Declared:
    if isinstance(declaration, Mapping):
        return {name: _tokens(scopes) for name, scopes in declaration.items()}
    return _tokens(declaration)


def _tokens(scopes: Any) -> tuple[str, ...]:
    """Return the scope tokens of a declaration, those of a set in the order of the alphabet."""
    if not isinstance(scopes, list | tuple | set | frozenset):
        raise TypeError("scopes are a list, a tuple or a set")
    named: Iterable[Any] = sorted(scopes) if isinstance(scopes, set | frozenset) else scopes
    if not all(isinstance(scope, str) and scope for scope in named):
        raise ValueError("a scope is a string that is not empty")
    return tuple(dict.fromkeys(token for scope in named for token in parse_scope(scope)))
