"""The DRF views of the URL conf and their authenticators: for the checks, and for what the metadata says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver, get_urlconf

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


def routed_views() -> list[RoutedView]:
    """Return the DRF views of the URL conf, each once; nothing where it cannot be imported (Django says so)."""
    try:
        found = _views(get_resolver(get_urlconf()).url_patterns)
        return list({(each.view_class, repr(sorted(each.initkwargs.items()))): each for each in found}.values())
    except Exception:  # noqa: BLE001 - whatever a module of the project raises on import
        return []


def is_ours(authenticator: type) -> bool:
    """Tell whether an authenticator is an IntrospectionAuthentication, which this room does not import."""
    return hasattr(authenticator, "bearer_methods") and hasattr(authenticator, "using")


def bearer_methods_of(aliases: Iterable[str]) -> set[str]:
    """Return the ways in which the views of these token backends take tokens; the header always."""
    by_alias = _bearer_methods(get_urlconf() or settings.ROOT_URLCONF)
    return {HEADER}.union(*(by_alias.get(alias, ()) for alias in aliases))


@lru_cache(maxsize=8)
def _bearer_methods(urlconf: str) -> dict[str, set[str]]:
    by_alias: dict[str, set[str]] = {}
    for view in routed_views():
        for each in filter(is_ours, view.authenticators):
            by_alias.setdefault(each.backend, set()).update(each.bearer_methods)
    return by_alias


def _views(patterns: Iterable[Any]) -> Iterator[RoutedView]:
    from rest_framework.views import APIView

    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns)
        elif isinstance(pattern, URLPattern):
            callback = pattern.callback
            view_class = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
            if isinstance(view_class, type) and issubclass(view_class, APIView):
                yield RoutedView(view_class, dict(getattr(callback, "initkwargs", None) or {}))
