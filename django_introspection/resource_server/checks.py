"""The system checks of a resource server: how its views are protected, as far as the code and settings say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage
from django.utils.module_loading import import_string

from ..backends.registry import token_backends
from ..check_messages import TAG, Messages, error, of_valid_settings, warning
from ..conf import introspection_settings
from ..exceptions import InvalidSetting
from ..jose import EXTRA_MISSING, is_installed
from ..protocol.identifiers import endpoint_problem
from ..protocol.metadata import contradictions
from ..protocol.presented import DPOP, are_schemes
from ..setting_values import NAME
from .identity_checks import check_users
from .metadata import WELL_KNOWN, aliases_of, decided_members, resource_of, served_path
from .proof import origins_of
from .protected_views import ProtectedPlace, protected_places, ways_of
from .view_checks import VIEW_CHECKS


def register() -> None:
    """Register the checks of a resource server; a second call changes nothing."""
    for check in (
        check_backends,
        check_audience,
        check_protected_paths,
        check_users,
        *VIEW_CHECKS,
        check_metadata,
        check_further_metadata,
        check_proofs,
    ):
        checks.register(check, TAG)


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


@of_valid_settings
def check_backends(**_: Any) -> Iterator[CheckMessage]:
    """Look for a resource server, or for protected views, without any token backend (E040).

    A project that only calls other APIs needs none.
    """
    if introspection_settings.BACKENDS:
        return
    protects_nothing = apps.is_installed("django_introspection") or bool(introspection_settings.SERVICES)
    if not protects_nothing or protected_places():
        yield error("E040", f"{NAME}['BACKENDS'] is empty: no token can be accepted.")


@of_valid_settings
def check_audience(**_: Any) -> Iterator[CheckMessage]:
    """Look for backends without audience (W005), unless only the introspection endpoint asks them."""
    if "BACKENDS" not in introspection_settings.values:
        return
    protecting = {place.backend for place in protected_places()}
    for backend in token_backends.made():
        if backend.audience or backend.is_router or backend.accepts_any_audience:
            continue
        if backend.alias != introspection_settings.INTROSPECTION_BACKEND or backend.alias in protecting:
            place = f"{NAME}['BACKENDS'][{backend.alias!r}]['OPTIONS']['audience']"
            yield warning("W005", f"{place} is not set: tokens for other APIs are accepted.")


@of_valid_settings
def check_metadata(**_: Any) -> Iterator[CheckMessage]:
    """Look at the well-known documents: their place (W051), and the resources of the backends (W013, W014)."""
    path = _path_of_metadata()
    if path is None:
        return
    if path != WELL_KNOWN:
        below = path.removesuffix(WELL_KNOWN.removeprefix("/.well-known/"))
        text = f"The well-known documents are served below {below!r}, and clients look for them below '/.well-known/'."
        yield warning("W051", text, "ROOT_URLCONF")
        return
    for backend in token_backends.made():
        if backend.audience_claim != "aud":
            continue
        place = f"{NAME}['BACKENDS'][{backend.alias!r}]['OPTIONS']['audience']"
        for identifier in sorted(backend.audience):
            if "://" in identifier and ("#" in identifier or "?" in identifier or endpoint_problem(identifier)):
                yield warning("W014", f"{place} should be an https URL without fragment and query.")
        if backend.audience and resource_of(backend) is None:
            yield warning("W013", f"{place} has no URL, so its resource has no metadata.")


@of_valid_settings
def check_further_metadata(**_: Any) -> Iterator[CheckMessage]:
    """Look for members of the METADATA of a resource that contradict its views (E070)."""
    declared = {name: each.metadata for name, each in introspection_settings.RESOURCES.items() if each.metadata}
    for resource, further in declared.items() if _path_of_metadata() else ():
        with suppress(TypeError):  # E014 and E025 report ways and schemes of the wrong type
            decided = decided_members(resource, *ways_of(aliases_of(resource)))
            for name in contradictions(decided, further):
                place = f"{NAME}['RESOURCES'][{resource!r}]['METADATA'][{name!r}]"
                yield error("E070", f"{place} contradicts what this resource server does.")


def check_proofs(**_: Any) -> Messages:
    """Look for schemes that do not exist (E025), and for proofs that cannot be verified (E026, E027)."""
    return [message for place in protected_places() for message in _place_messages(place)]


def _place_messages(place: ProtectedPlace) -> Iterator[CheckMessage]:
    if not are_schemes(place.schemes):
        yield error("E025", "Its schemes must be a tuple of 'Bearer', 'DPoP', 'Token' and 'Api-Key'.", place.name)
    elif DPOP in place.schemes:
        if not is_installed():
            yield error("E026", f"It accepts DPoP proofs, and {EXTRA_MISSING}.", place.name)
        with suppress(InvalidSetting):  # E002 and E003 report it
            if not origins_of(token_backends[place.backend]):
                yield error("E027", "It accepts DPoP proofs, and the origin of this API is not known.", place.name)


def _path_of_metadata() -> str | None:
    """Return the path of the documents of protected resources in the URL conf, None if it does not serve them."""
    with suppress(Exception):  # a URL conf that is missing or cannot be imported; Django reports it
        return served_path()
    return None


def _modules_of(path: str) -> Iterator[str]:
    """Yield the modules of a middleware and of its base classes."""
    with suppress(Exception):  # whatever a module of the project raises on import; Django reports it
        middleware = import_string(path)
        yield from (base.__module__ for base in getattr(middleware, "__mro__", (middleware,)))
