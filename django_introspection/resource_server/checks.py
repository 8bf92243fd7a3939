"""What is wrong with how views are protected, as far as it can be seen without a request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from rest_framework.permissions import AllowAny

from ..backends.base import TokenBackend
from ..backends.registry import token_backends
from ..check_messages import error, warning
from ..conf import NAME, are_schemes, introspection_settings
from ..exceptions import InvalidSetting
from ..jose import EXTRA_MISSING, is_installed
from ..protocol.identifiers import endpoint_problem
from ..protocol.presented import DPOP, SCHEMES
from .denial import holds_scope
from .extraction import BEARER_METHODS, HEADER
from .local_users import IDENTITY, LocalUser
from .metadata import is_served, resource_of
from .proof import origins_of
from .protected_views import ProtectedPlace, RoutedView, is_ours, protected_places, routed_views
from .users import resolver_of

Messages = list[CheckMessage]


def check_protected_paths(**_: Any) -> Messages:
    """Look for paths that nothing protects (E010), and for a user that another middleware replaces (E011)."""
    try:
        if not introspection_settings.PROTECTED_PATHS:
            return []
    except InvalidSetting:  # E002 says so
        return []
    modules = [set(_modules_of(path)) for path in settings.MIDDLEWARE]
    ours = [place for place, names in enumerate(modules) if "django_introspection.middleware" in names]
    sessions = [place for place, names in enumerate(modules) if "django.contrib.auth.middleware" in names]
    if not ours:
        return [error("E010", f"{NAME}['PROTECTED_PATHS']: no middleware protects these paths")]
    if sessions and ours[0] < sessions[0]:
        return [error("E011", f"MIDDLEWARE: {settings.MIDDLEWARE[ours[0]]} stands before AuthenticationMiddleware")]
    return []


def check_users(**_: Any) -> Messages:
    """Look for resolvers that cannot work (E012), and for two servers whose names meet in one field (W015)."""
    messages: Messages = []
    fields: dict[str, str] = {}
    for backend in _backends():
        try:
            resolver = resolver_of(backend)
        except InvalidSetting as invalid:
            messages.append(error("E012", str(invalid)))
            continue
        if not isinstance(resolver, LocalUser):
            continue
        place = f"{NAME}['BACKENDS'][{backend.alias!r}]['USER']"
        if problem := resolver.problem():
            messages.append(error("E012", f"{place}: {problem}"))
        if resolver.claim == IDENTITY:
            continue
        if other := fields.get(resolver.field):
            messages.append(warning("W015", f"{place}: {resolver.field!r} is what {other!r} maps to as well"))
        fields.setdefault(resolver.field, backend.alias)
    return messages


def check_views(**_: Any) -> Messages:
    """Look at the DRF views of the URL conf, one by one."""
    return [message for view in routed_views() for message in _view_messages(view)]


def check_metadata(**_: Any) -> Messages:
    """Look for backends without a resource (W013) and for bad identifiers (W014), where metadata is served."""
    try:
        served = is_served()
    except Exception:  # noqa: BLE001 - the URL conf cannot be imported; Django says so
        return []
    messages: Messages = []
    for backend in _backends() if served else ():
        place = f"{NAME}['BACKENDS'][{backend.alias!r}]['OPTIONS']['audience']"
        for identifier in sorted(backend.audience):
            if "://" in identifier and ("#" in identifier or "?" in identifier or endpoint_problem(identifier)):
                messages.append(warning("W014", f"{place}: it should be an https URL without fragment and query"))
        if backend.audience and resource_of(backend) is None:
            messages.append(warning("W013", f"{place}: no URL, so its resource has no metadata"))
    return messages


def check_proofs(**_: Any) -> Messages:
    """Look for schemes that there are not (E025), and for proofs that cannot be verified (E026, E027)."""
    return [message for place in protected_places() for message in _place_messages(place)]


CHECKS = (check_protected_paths, check_users, check_views, check_metadata, check_proofs)


def _place_messages(place: ProtectedPlace) -> Iterator[CheckMessage]:
    if not are_schemes(place.schemes):
        yield error("E025", f"{place.name}: its schemes are no tuple of ways to present a token")
    elif DPOP in place.schemes:
        if not is_installed():
            yield error("E026", f"{place.name}: DPoP: {EXTRA_MISSING}")
        with suppress(InvalidSetting):  # E002 and E003 say so
            if not origins_of(token_backends[place.backend]):
                yield error("E027", f"{place.name}: DPoP needs to know at which origin clients reach this API")


def _view_messages(view: RoutedView) -> Iterator[CheckMessage]:
    name = f"{view.view_class.__module__}.{view.view_class.__qualname__}"
    if problem := _scope_problem(view):
        yield error("E013", problem)
    ours = [each for each in view.authenticators if is_ours(each)]
    for each in ours:
        ways = each.bearer_methods
        if not isinstance(ways, (tuple, list)) or HEADER not in ways or any(way not in BEARER_METHODS for way in ways):
            yield error("E014", f"{each.__qualname__}.bearer_methods: a tuple of ways to send a token is expected")
    shared = [
        (scheme, readers)
        for scheme in SCHEMES
        if len(readers := [each for each in view.authenticators if scheme in _schemes(each)]) > 1
        and any(map(is_ours, readers))
    ]
    for scheme, readers in shared:
        names = ", ".join(each.__name__ for each in readers)
        yield warning("W012", f"{name}: each of {names} reads {scheme} tokens, and refuses those of the others")
    if ours and not shared and not is_ours(view.authenticators[0]) and _needs_challenge(view):
        yield warning("W011", f"{name}: without a token it answers without a challenge for tokens")


def _schemes(authenticator: Any) -> Sequence[str]:
    """Return the schemes that an authenticator of anybody's reads; none where it does not tell."""
    with suppress(Exception):
        if is_ours(authenticator):
            return tuple(authenticator.schemes)
        used = str(authenticator().authenticate_header(None)).partition(" ")[0].lower()
        return [scheme for scheme in SCHEMES if scheme.lower() == used]
    return ()


def _needs_challenge(view: RoutedView) -> bool:
    """Tell whether a permission other than by scope, which brings its challenge, refuses strangers."""
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


def _backends() -> Iterator[TokenBackend]:
    """Make a backend of each alias, apart from those in use, and close it again."""
    with suppress(InvalidSetting):  # E002 says so
        for alias in token_backends:
            with suppress(InvalidSetting):  # E003 says so
                backend = token_backends.create(alias)
                backend.close()
                yield backend


def _modules_of(path: str) -> Iterator[str]:
    """Yield the modules of a middleware and of what it is derived from."""
    with suppress(Exception):  # whatever a module of the project raises on import; Django says so
        middleware = import_string(path)
        yield from (base.__module__ for base in getattr(middleware, "__mro__", (middleware,)))
