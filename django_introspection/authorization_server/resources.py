"""The resources that a token is for, and the scope that means something to them (RFC 8707 §2, RFC 9068 §3)."""

from __future__ import annotations

from collections.abc import Iterable

from ..conf import introspection_settings
from ..models import Client, Token
from ..protocol.errors import InvalidScope, InvalidTarget
from ..protocol.identifiers import normal_resource, resource_problem
from ..protocol.scope import parse_scope
from .clients import INTROSPECTION_SCOPE

MAX_RESOURCES = 20
"""Resources of one request; each is a comparison here and a member of `aud` in every answer."""

Scope = tuple[str, ...]


def new_grant(client: Client, requested_scope: str | None, requested: list[str]) -> tuple[Scope, list[str]]:
    """Return the scope and the resources that a client gets for its own credentials.

    Raises InvalidScope and InvalidTarget.
    """
    allowed_scope = parse_scope(client.scope)
    scope = _part_of(allowed_scope, requested_scope, default=_without_introspection(allowed_scope))
    if INTROSPECTION_SCOPE in scope:
        return scope, _issuer_audience(scope, requested)
    allowed = _known(client.allowed_resources)
    asked = requested_scope is not None
    resources = _among(allowed, requested) or _implied(allowed, scope, asked=asked)
    return _understood(scope, resources, may_be_nothing=not asked), resources


def require_own_limits(client: Client, scope: str, resources: list[str]) -> None:
    """Check that a client may request a scope and resources itself; raises InvalidScope and InvalidTarget."""
    _part_of(parse_scope(client.scope), scope, default=())
    _among(_known(client.allowed_resources), resources)


def narrow_grant(
    granted: Token, client: Client, requested_scope: str | None, requested: list[str]
) -> tuple[Scope, list[str]]:
    """Return the part of a token's scope and resources that a client asks for, by default all that it may have now.

    The token itself stays as it is (RFC 6749 §6, RFC 8707 §2.2, RFC 8693 §2.1). Raises InvalidScope and InvalidTarget.
    """
    allowed = _scope_left(granted, client)
    scope = _part_of(allowed, requested_scope, default=allowed)
    left = _resources_left(granted, client)
    resources = _among(left, requested) if requested else left
    if resources == granted.audience and not requested:
        return scope, resources
    return _understood(scope, resources), resources


def _scope_left(granted: Token, client: Client) -> Scope:
    """Return what a client may now have of the scope of a token; raises InvalidScope if that is nothing."""
    whole, allowed = parse_scope(granted.scope), set(parse_scope(client.scope))
    left = tuple(token for token in whole if token in allowed)
    if whole and not left:
        raise InvalidScope("This client may not have any scope of the grant.")
    return left


def _resources_left(granted: Token, client: Client) -> list[str]:
    """Return those of a token's resources that a client may now have; raises InvalidTarget if these are none."""
    issuer = introspection_settings.ISSUER
    own = [issuer] if issuer is not None and INTROSPECTION_SCOPE in parse_scope(client.scope) else []
    allowed = {normal_resource(resource) for resource in [*_known(client.allowed_resources), *own]}
    left = [resource for resource in granted.audience if normal_resource(resource) in allowed]
    if granted.audience and not left:
        raise InvalidTarget("This client may not have any resource of the grant.")
    return left


def _part_of(allowed: Scope, requested: str | None, *, default: Scope) -> Scope:
    if requested is None:
        return default
    try:
        scope = parse_scope(requested)
    except ValueError:
        raise InvalidScope("The scope is malformed.") from None
    if not set(allowed).issuperset(scope):
        raise InvalidScope("The scope is more than this client may have.")
    return scope


def _without_introspection(allowed: Scope) -> Scope:
    return tuple(token for token in allowed if token != INTROSPECTION_SCOPE) or allowed


def _known(resources: list[str]) -> list[str]:
    known = introspection_settings.RESOURCES
    if not known:
        return resources
    spellings = {normal_resource(resource): resource for resource in known}
    return [spellings[name] for resource in resources if (name := normal_resource(resource)) in spellings]


def _among(allowed: list[str], requested: list[str]) -> list[str]:
    if len(requested) > MAX_RESOURCES:
        raise InvalidTarget(f"No more than {MAX_RESOURCES} resources can be asked for at once.")
    if any(resource_problem(resource) for resource in requested):
        raise InvalidTarget("A resource is an absolute URI without fragment.")
    spellings = {normal_resource(resource): resource for resource in reversed(allowed)}
    chosen = [spellings.get(normal_resource(resource)) for resource in requested]
    if None in chosen:
        raise InvalidTarget("This client may not request this resource.")
    return list(dict.fromkeys(resource for resource in chosen if resource is not None))


def _implied(allowed: list[str], scope: Scope, *, asked: bool) -> list[str]:
    """Return the resource of a request that names none: the scope's, else the default, else the only one.

    A scope that was asked for and has its parts in several resources is ambiguous (RFC 9068 §3).
    """
    known = introspection_settings.RESOURCES
    if known:
        candidates = _understanding(allowed, scope)
        if asked and not candidates:
            raise InvalidScope("The scope is of several resources: name one of them.")
        candidates = candidates or allowed
        allowed = [resource for resource in candidates if known[resource].is_default] or candidates
    if len(allowed) == 1 or not (known or allowed):
        return allowed
    raise InvalidTarget("Name the resource that the token is for.")


def _understanding(resources: list[str], scope: Scope) -> list[str]:
    """Return the resources that understand all of the scope that any of them does."""
    known = introspection_settings.RESOURCES
    meant = set(scope).intersection(_scopes_of(resources))
    return [resource for resource in resources if meant <= known[resource].scopes]


def _understood(scope: Scope, resources: list[str], *, may_be_nothing: bool = False) -> Scope:
    """Return the scope that means something to the resources; it may be empty only if the client asked for no scope.

    A response cannot contain an empty scope (RFC 6749 §3.3), and a missing one means all that was asked for.
    """
    if not introspection_settings.RESOURCES:
        return scope
    meant = _scopes_of(resources)
    understood = tuple(token for token in scope if token in meant)
    if scope and not understood and not may_be_nothing:
        raise InvalidScope("The scope means nothing to this resource.")
    return understood


def _scopes_of(resources: Iterable[str]) -> frozenset[str]:
    """Return what means something to some resources: to each what RESOURCES says, and to this server one scope.

    A grant has the spellings of its day, and may name a resource that is no longer known.
    """
    understood = {normal_resource(name): known.scopes for name, known in introspection_settings.RESOURCES.items()}
    if (issuer := introspection_settings.ISSUER) is not None:
        own = normal_resource(issuer)
        understood[own] = understood.get(own, frozenset()) | {INTROSPECTION_SCOPE}
    return frozenset().union(*(understood.get(normal_resource(resource), ()) for resource in resources))


def _issuer_audience(scope: Scope, requested: list[str]) -> list[str]:
    """Return the issuer as the audience.

    The scope `introspection` means something to this server alone, so its token is for the issuer and nothing
    else (RFC 9068 §3: no ambiguous grants).
    """
    issuer = introspection_settings.ISSUER
    if issuer is None:
        raise InvalidScope("This server has no issuer identifier, so it takes no access tokens itself.")
    if len(scope) > 1:
        raise InvalidScope(f"The scope {INTROSPECTION_SCOPE} is asked for alone.")
    if any(normal_resource(resource) != normal_resource(issuer) for resource in requested):
        raise InvalidTarget(f"A token with the scope {INTROSPECTION_SCOPE} is for this server alone.")
    return [issuer]
