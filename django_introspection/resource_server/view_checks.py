"""The system checks of views that answer 401, 403 or 500 for ever, or accept every token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import OR, AllowAny
from rest_framework.views import APIView

from ..check_messages import Messages, error, of_valid_settings, warning
from ..conf import introspection_settings
from ..protocol.presented import SCHEMES
from ..setting_values import did_you_mean
from .extraction import BEARER_METHODS, HEADER
from .protected_views import RoutedView, decorated_places, dotted_name, is_ours, path_places, routed_views
from .token_permissions import ScopePermission, reads_token

METHODS = frozenset(method.upper() for method in APIView.http_method_names)
MAKERS = ("requires_scope", "requires_claim", "requires_step_up", "requires_authorization_details")
OTHER_PACKAGES = ("oauth2_provider.contrib.rest_framework", "allauth.idp.oidc.contrib.rest_framework")
"""Packages whose permission classes know only the tokens of their own authentication classes."""


def check_views(**_: Any) -> Messages:
    """Look at the DRF views of the URL conf; one cause is reported once, however often a view is routed."""
    found = [message for view in routed_views() for message in (*_of_authenticators(view), *_of_permissions(view))]
    return _each_once(found)


@of_valid_settings
def check_aliases(**_: Any) -> Iterator[CheckMessage]:
    """Look for views that name a token backend that does not exist (E041)."""
    aliases = list(introspection_settings.BACKENDS)  # names alone: an error would report secrets in OPTIONS
    named = [
        (each.backend, _place(view, "authentication_classes"))
        for view in routed_views()
        for each in filter(is_ours, view.authenticators)
    ]
    named += [(place.backend, place.name) for place in decorated_places()]
    for alias, place in dict.fromkeys(named if aliases else ()):  # without any backend, E040 says it once
        if alias not in aliases:
            close = did_you_mean(alias, aliases)
            yield error("E041", f"It names the token backend {alias!r}, which does not exist{close}.", place)


@of_valid_settings
def check_scopes(**_: Any) -> Iterator[CheckMessage]:
    """Look for scopes that no resource of RESOURCES has (W055), if each of them lists its scopes."""
    resources = introspection_settings.RESOURCES.values()
    known = sorted(set().union(*(resource.scopes for resource in resources)))
    if not known or not all(resource.scopes for resource in resources):
        return
    required = [(scope, dotted_name(view.view_class)) for view in routed_views() for scope in _scopes_of(view)]
    required += [(scope, place.name) for place in (*decorated_places(), *path_places()) for scope in place.scopes]
    for scope, place in dict.fromkeys(required):
        if scope not in known:
            close = did_you_mean(scope, known)
            yield warning("W055", f"It requires the scope {scope!r}, which no resource of RESOURCES has{close}.", place)


VIEW_CHECKS = (check_views, check_aliases, check_scopes)


def _of_authenticators(view: RoutedView) -> Iterator[CheckMessage]:
    """Look at the ways to send a token (E014), at two readers of one scheme (W012) and at the challenge (W011)."""
    ours, place = [each for each in view.authenticators if is_ours(each)], _place(view, "authentication_classes")
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
        yield warning("W012", f"Each of {names} reads {scheme} tokens, and refuses those of the others.", place)
    if ours and not shared and not is_ours(view.authenticators[0]) and _needs_challenge(view):
        yield warning("W011", "Its 401 without a token has no challenge for tokens.", place)


def _of_permissions(view: RoutedView) -> Iterator[CheckMessage]:
    """Look at declared scopes (E013, E042, W054), at permissions that are none (E047) or do not fit (E043, W053)."""
    name, permissions = dotted_name(view.view_class), _made_permissions(view)
    for maker in _uncalled(view):
        yield error("E047", f"Its permission_classes have the function {maker} itself, which makes a permission.", name)
    try:
        _scopes_of(view)
    except ImproperlyConfigured as problem:
        yield error("E013", str(problem), name)
    else:
        if any(scoped.scopes is None for scoped in _scoped(permissions)):
            yield from _of_names(view, name)
    if any(map(is_ours, view.authenticators)):
        for part in (each for permission in permissions for each in _parts(permission)):
            if problem_of_part := _foreign_problem(part, view.authenticators):
                yield error("E043", problem_of_part, name)
    elif any(map(_requires_token, permissions)) and not _chooses_authenticators(view):
        yield warning("W053", "It requires a scope or claim, and has no authentication class that reads tokens.", name)


def _of_names(view: RoutedView, name: str) -> Iterator[CheckMessage]:
    """Look at the keys of `required_scopes`: methods in capitals, and actions of a ViewSet."""
    declared = view.declared("required_scopes")
    for key in declared if isinstance(declared, Mapping) else ():
        if str(key).upper() in METHODS:
            if key not in METHODS and not _has_action(view, key):
                capitals = str(key).upper()
                text = f"Its required_scopes name the method {key!r}, which is read in capitals only: {capitals!r}."
                yield error("E042", text, name)
        elif not hasattr(view.view_class, str(key)):
            close = did_you_mean(key, [*METHODS, *_handlers(view)])
            text = f"Its required_scopes name {key!r}, which is neither a method nor an action of the view{close}."
            yield warning("W054", text, name)


def _has_action(view: RoutedView, name: str) -> bool:
    """Return whether a ViewSet has a handler of this name; on other views it is the handler of the HTTP method."""
    return hasattr(view.view_class, "get_extra_actions") and hasattr(view.view_class, name)


def _handlers(view: RoutedView) -> list[str]:
    own = set(dir(view.view_class)) - set(dir(APIView))
    return sorted(name for name in own if callable(getattr(view.view_class, name)))


def _place(view: RoutedView, name: str) -> str:
    """Return the place that decides an attribute of a view: its class, or the defaults of Django REST framework."""
    if view.declared(name) is getattr(APIView, name):
        return f"REST_FRAMEWORK['DEFAULT_{name.upper()}']"
    return dotted_name(view.view_class)


def _schemes(authenticator: Any) -> Sequence[str]:
    """Return the schemes that any authenticator reads; none if they cannot be found out."""
    with suppress(Exception):
        if is_ours(authenticator):
            return tuple(authenticator.schemes)
        used = str(authenticator().authenticate_header(None)).partition(" ")[0].lower()
        return [scheme for scheme in SCHEMES if scheme.lower() == used]
    return ()


def _made_permissions(view: RoutedView) -> list[Any]:
    with suppress(Exception):  # whatever a class of the project raises outside of a request
        return [permission() for permission in view.declared("permission_classes") or ()]
    return []


def _uncalled(view: RoutedView) -> list[str]:
    """Return the functions of ours among the permission classes, which this module does not import."""
    declared = view.declared("permission_classes")
    entries = declared if isinstance(declared, (list, tuple)) else ()
    named = [getattr(each, "__name__", "") for each in entries if not isinstance(each, type)]
    return [name for name in named if name in MAKERS]


def _needs_challenge(view: RoutedView) -> bool:
    """Return whether requests without a token are refused by a permission that brings no challenge of its own."""
    return any(not isinstance(each, AllowAny) and not reads_token(each) for each in _made_permissions(view))


def _requires_token(permission: Any) -> bool:
    """Return whether a permission refuses every request without a token of ours."""
    operands = _operands(permission)
    if isinstance(permission, OR):
        return all(map(_requires_token, operands))
    return any(map(_requires_token, operands)) if operands else reads_token(permission)


def _chooses_authenticators(view: RoutedView) -> bool:
    return bool(view.view_class.get_authenticators is not APIView.get_authenticators)


def _foreign_problem(permission: Any, authenticators: Iterable[Any]) -> str | None:
    """Return what is wrong with a permission of another package beside our authentication, None if it is not one."""
    bases = type(permission).__mro__
    package = next((each for each in OTHER_PACKAGES for base in bases if base.__module__.startswith(each)), None)
    if package is None:
        return None
    name = type(permission).__name__
    if any(base.__name__ == "IsAuthenticatedOrTokenHasScope" for base in bases):
        return f"{name} takes a request with a token of ours for one with a session: every token opens the view."
    if any(each.__module__.startswith(package) for each in authenticators):
        return None
    return f"{name} knows only the tokens of its own package, and refuses every request."


def _scopes_of(view: RoutedView) -> list[str]:
    """Return every scope that the permissions of a view may require; raises ImproperlyConfigured."""
    scopes: list[str] = []
    try:
        made: Any = view.view_class(**view.initkwargs)
        declared = view.declared("required_scopes")
        names = [*made.allowed_methods, *(declared if isinstance(declared, Mapping) else ())]
        for scoped in _scoped(_made_permissions(view)):
            for name in names:
                scopes += scoped.required(made, name) or ()
    except ImproperlyConfigured:
        raise
    except Exception:  # noqa: BLE001 - whatever a view of the project raises outside of a request
        return []
    return scopes


def _scoped(permissions: Iterable[Any]) -> list[Any]:
    return [part for permission in permissions for part in _parts(permission) if isinstance(part, ScopePermission)]


def _parts(permission: Any) -> Iterator[Any]:
    """Yield the permissions of which one is composed; itself if it is not composed."""
    operands = _operands(permission)
    for operand in operands:
        yield from _parts(operand)
    if not operands:
        yield permission


def _operands(permission: Any) -> list[Any]:
    return [getattr(permission, name) for name in ("op1", "op2") if hasattr(permission, name)]


def _each_once(messages: Iterable[CheckMessage]) -> Messages:
    return list({(message.id, message.obj, message.msg): message for message in messages}.values())
