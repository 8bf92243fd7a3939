"""The system checks of a resource server: how its views are protected, as far as the code and settings say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from rest_framework.permissions import AllowAny

from ..backends.registry import token_backends
from ..cache_properties import is_private_cache
from ..check_messages import TAG, Messages, error, of_valid_settings, warning
from ..conf import introspection_settings
from ..exceptions import InvalidSetting
from ..jose import EXTRA_MISSING, is_installed
from ..protocol.identifiers import endpoint_problem
from ..protocol.presented import DPOP, SCHEMES, are_schemes
from ..setting_values import NAME
from .extraction import BEARER_METHODS, HEADER
from .identity_checks import check_users
from .metadata import is_served, resource_of
from .proof import origins_of
from .protected_views import ProtectedPlace, RoutedView, dotted_name, is_ours, protected_places, routed_views
from .scope_denial import holds_scope


def register() -> None:
    """Register the checks of a resource server; a second call changes nothing."""
    for check in (check_protected_paths, check_users, check_views, check_metadata, check_proofs):
        checks.register(check, TAG)
    checks.register(check_used_proofs, TAG, deploy=True)


@of_valid_settings
def check_protected_paths(**_: Any) -> Iterator[CheckMessage]:
    """Look for paths that nothing protects (E010), and for a user that another middleware replaces (E011)."""
    if not introspection_settings.PROTECTED_PATHS:
        return
    modules = [set(_modules_of(path)) for path in settings.MIDDLEWARE]
    ours = [place for place, names in enumerate(modules) if "django_introspection.middleware" in names]
    sessions = [place for place, names in enumerate(modules) if "django.contrib.auth.middleware" in names]
    if not ours:
        yield error("E010", f"{NAME}['PROTECTED_PATHS'] is set, and no middleware protects these paths.")
    elif sessions and ours[0] < sessions[0]:
        yield error("E011", f"{settings.MIDDLEWARE[ours[0]]!r} stands before AuthenticationMiddleware.", "MIDDLEWARE")


def check_views(**_: Any) -> Messages:
    """Look at the DRF views of the URL conf, one by one."""
    return [message for view in routed_views() for message in _view_messages(view)]


@of_valid_settings
def check_metadata(**_: Any) -> Iterator[CheckMessage]:
    """Look for backends without a resource (W013) and for invalid identifiers (W014), if metadata is served."""
    with suppress(Exception):  # the URL conf cannot be imported; Django reports it
        if not is_served():
            return
    for backend in token_backends.made():
        place = f"{NAME}['BACKENDS'][{backend.alias!r}]['OPTIONS']['audience']"
        for identifier in sorted(backend.audience):
            if "://" in identifier and ("#" in identifier or "?" in identifier or endpoint_problem(identifier)):
                yield warning("W014", f"{place} should be an https URL without fragment and query.")
        if backend.audience and resource_of(backend) is None:
            yield warning("W013", f"{place} has no URL, so its resource has no metadata.")


def check_proofs(**_: Any) -> Messages:
    """Look for schemes that do not exist (E025), and for proofs that cannot be verified (E026, E027)."""
    return [message for place in protected_places() for message in _place_messages(place)]


@of_valid_settings
def check_used_proofs(**_: Any) -> Iterator[CheckMessage]:
    """Look for a cache in which each process would accept the same DPoP proof once (E006)."""
    takes_proofs = any(DPOP in place.schemes for place in protected_places() if are_schemes(place.schemes))
    if takes_proofs and is_private_cache(introspection_settings.REPLAY_CACHE):
        yield error("E006", f"{NAME}['REPLAY_CACHE']: each process would accept the same DPoP proof once.")


def _place_messages(place: ProtectedPlace) -> Iterator[CheckMessage]:
    if not are_schemes(place.schemes):
        yield error("E025", "Its schemes must be a tuple of 'Bearer' and 'DPoP'.", place.name)
    elif DPOP in place.schemes:
        if not is_installed():
            yield error("E026", f"It accepts DPoP proofs, and {EXTRA_MISSING}.", place.name)
        with suppress(InvalidSetting):  # E002 and E003 report it
            if not origins_of(token_backends[place.backend]):
                yield error("E027", "It accepts DPoP proofs, and the origin of this API is not known.", place.name)


def _view_messages(view: RoutedView) -> Iterator[CheckMessage]:
    name = dotted_name(view.view_class)
    if problem := _scope_problem(view):
        yield error("E013", problem, name)
    ours = [each for each in view.authenticators if is_ours(each)]
    for each in ours:
        ways = each.bearer_methods
        if not isinstance(ways, (tuple, list)) or HEADER not in ways or any(way not in BEARER_METHODS for way in ways):
            yield error("E014", "Its bearer_methods must be a tuple of 'header' and 'body'.", dotted_name(each))
    shared = [
        (scheme, readers)
        for scheme in SCHEMES
        if len(readers := [each for each in view.authenticators if scheme in _schemes(each)]) > 1
        and any(map(is_ours, readers))
    ]
    for scheme, readers in shared:
        names = ", ".join(each.__name__ for each in readers)
        yield warning("W012", f"Each of {names} reads {scheme} tokens, and refuses those of the others.", name)
    if ours and not shared and not is_ours(view.authenticators[0]) and _needs_challenge(view):
        yield warning("W011", "Its 401 without a token has no challenge for tokens.", name)


def _schemes(authenticator: Any) -> Sequence[str]:
    """Return the schemes that any authenticator reads; none if they cannot be found out."""
    with suppress(Exception):
        if is_ours(authenticator):
            return tuple(authenticator.schemes)
        used = str(authenticator().authenticate_header(None)).partition(" ")[0].lower()
        return [scheme for scheme in SCHEMES if scheme.lower() == used]
    return ()


def _needs_challenge(view: RoutedView) -> bool:
    """Return whether requests without a token are refused by a permission that brings no challenge of its own."""
    with suppress(Exception):
        made = [permission() for permission in view.declared("permission_classes") or ()]
        return any(not isinstance(each, AllowAny) and not holds_scope(each) for each in made)
    return False


def _scope_problem(view: RoutedView) -> str | None:
    with suppress(Exception):
        made: Any = view.view_class(**view.initkwargs)
        for permission in (each() for each in view.declared("permission_classes") or ()):
            for scoped in scope_permissions(permission):
                for method in made.allowed_methods:
                    try:
                        scoped.required(made, method)
                    except ImproperlyConfigured as problem:
                        return str(problem)
    return None


def scope_permissions(permission: Any) -> Iterator[Any]:
    """Yield the scope permissions of a composition."""
    operands = [getattr(permission, name) for name in ("op1", "op2") if hasattr(permission, name)]
    for operand in operands:
        yield from scope_permissions(operand)
    if not operands and holds_scope(permission):
        yield permission


def _modules_of(path: str) -> Iterator[str]:
    """Yield the modules of a middleware and of what it is derived from."""
    with suppress(Exception):  # whatever a module of the project raises on import; Django reports it
        middleware = import_string(path)
        yield from (base.__module__ for base in getattr(middleware, "__mro__", (middleware,)))
