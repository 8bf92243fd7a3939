"""The views of the URL conf, and the ways in which they accept tokens: for the checks and the metadata."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver, get_urlconf

from ..conf import introspection_settings, setting_problem
from ..setting_values import NAME, ProtectedPath
from .extraction import HEADER

if TYPE_CHECKING:  # DRF imports the default authentication while it makes APIView
    from rest_framework.views import APIView


class RoutedView(NamedTuple):
    """A view class, and the arguments of its `as_view()`."""

    view_class: type[APIView]
    initkwargs: dict[str, Any]

    def declared(self, name: str) -> Any:
        """Return an attribute as the view will have it."""
        return self.initkwargs.get(name, getattr(self.view_class, name, None))

    @property
    def authenticators(self) -> list[Any]:
        """The authenticators that the class names; `get_authenticators()` may choose others for a request."""
        named = self.declared("authentication_classes")
        return [each for each in named if isinstance(each, type)] if isinstance(named, (list, tuple)) else []


class ProtectedPlace(NamedTuple):
    """A place of the project that accepts tokens: its backend, and the ways and schemes by which tokens come."""

    name: str
    backend: str
    bearer_methods: Any
    schemes: Any
    scopes: tuple[str, ...] = ()


def routed_views() -> list[RoutedView]:
    """Return the DRF views of the URL conf, each once."""
    from rest_framework.views import APIView

    found: dict[Any, RoutedView] = {}
    for callback in _callbacks():
        view_class = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
        if isinstance(view_class, type) and issubclass(view_class, APIView):
            view = RoutedView(view_class, dict(getattr(callback, "initkwargs", None) or {}))
            found.setdefault((view_class, repr(sorted(view.initkwargs.items()))), view)
    return list(found.values())


def is_ours(authenticator: type) -> bool:
    """Return whether an authenticator is an IntrospectionAuthentication, which this module does not import."""
    return hasattr(authenticator, "bearer_methods") and hasattr(authenticator, "using")


def protected_places() -> list[ProtectedPlace]:
    """Return every place that accepts tokens, each once: authenticators, decorated views and protected paths."""
    return [*_routed_places(get_urlconf() or getattr(settings, "ROOT_URLCONF", None)), *path_places()]


def path_places() -> list[ProtectedPlace]:
    """Return the protected paths of the middleware."""
    paths = () if setting_problem("PROTECTED_PATHS") else introspection_settings.PROTECTED_PATHS
    return [_place_of(path, f"{NAME}['PROTECTED_PATHS']") for path in paths]


def decorated_places() -> list[ProtectedPlace]:
    """Return the views of the URL conf that `token_required` decorates, and those of forward authentication."""
    return [place for callback in _callbacks() for place in _places_of(callback)]


def ways_of(aliases: Collection[str]) -> tuple[set[str], set[str]]:
    """Return the ways and the schemes by which tokens of these backends are accepted; the header always."""
    found = [place for place in protected_places() if place.backend in aliases]
    return {HEADER}.union(*(each.bearer_methods for each in found)), set().union(*(each.schemes for each in found))


@lru_cache(maxsize=8)
def _routed_places(urlconf: str | None) -> list[ProtectedPlace]:
    found = [
        ProtectedPlace(dotted_name(each), each.backend, each.bearer_methods, each.schemes)
        for view in routed_views()
        for each in filter(is_ours, view.authenticators)
    ]
    found += decorated_places()
    return list({repr(place): place for place in found}.values())


def _places_of(callback: Any) -> Iterator[ProtectedPlace]:
    protection = getattr(callback, "introspection_protection", None)
    if protection is None:
        return
    scopes, name = getattr(callback, "introspection_scopes", ()), dotted_name(callback)
    yield ProtectedPlace(name, protection.backend, protection.bearer_methods, protection.schemes, scopes)
    for path in getattr(callback, "introspection_paths", ()):
        yield _place_of(path, f"{name}, paths")


def _place_of(path: ProtectedPath, setting: str) -> ProtectedPlace:
    scopes = tuple(dict.fromkeys((*path.scopes, *(path.write_scopes or ()))))
    return ProtectedPlace(f"{setting}[{path.prefix!r}]", path.backend, (HEADER,), path.schemes, scopes)


def dotted_name(part: Any) -> str:
    """Return the dotted path by which messages name a class or a function of the project."""
    named = part if hasattr(part, "__qualname__") else type(part)
    return f"{named.__module__}.{named.__qualname__}"


def _callbacks() -> list[Any]:
    """Return the callbacks of the URL conf; none if it cannot be imported, which Django reports."""
    try:
        return list(_walk(get_resolver(get_urlconf()).url_patterns))
    except Exception:  # noqa: BLE001 - whatever a module of the project raises on import
        return []


def _walk(patterns: Iterable[Any]) -> Iterator[Any]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns)
        elif isinstance(pattern, URLPattern):
            yield pattern.callback
