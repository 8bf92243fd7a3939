"""The system checks of the caches: each must be fit for its uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.apps import apps
from django.core import checks
from django.core.cache import caches
from django.db import connections

from . import jose
from .backends.base import TokenBackend
from .backends.registry import token_backends
from .cache_properties import forgetting_problem, is_database_cache, may_evict, may_hang, use_problem
from .check_messages import TAG, error, of_valid_settings, warning
from .conf import introspection_settings
from .database_caches import database_of
from .protocol.presented import DPOP, are_schemes
from .resource_server.protected_views import ProtectedPlace, path_places, protected_places
from .setting_values import NAME


def register() -> None:
    """Register the checks of the caches; a second call changes nothing."""
    for check in (check_use, check_memory, check_transactions):
        checks.register(check, TAG)
    for deploy_check in (check_default_memory, check_eviction, check_timeouts):
        checks.register(deploy_check, TAG, deploy=True)


@of_valid_settings
def check_use(**_: object) -> Iterator[checks.CheckMessage]:
    """Look for caches that cannot be used at all (E044)."""
    for alias, uses in cache_uses(token_backends.made()).items():
        if problem := use_problem(alias):
            yield error("E044", f"The cache {alias!r} ({', '.join(uses)}) {problem}.", f"CACHES[{alias!r}]")


@of_valid_settings
def check_memory(**_: object) -> Iterator[checks.CheckMessage]:
    """Look for tombstones and used proofs in a cache that the settings name and that forgets (E045)."""
    for key, alias in _memories():
        if key in introspection_settings.values and (problem := forgetting_problem(alias)):
            yield error("E045", f"{NAME}[{key!r}] must not use the cache {alias!r}, which {problem}.")


@of_valid_settings
def check_default_memory(**_: object) -> Iterator[checks.CheckMessage]:
    """Look for used proofs in a default cache that forgets (E046): a new project starts with it all the same."""
    alias, uses = introspection_settings.REPLAY_CACHE, " and ".join(_replayable())
    if "REPLAY_CACHE" not in introspection_settings.values and uses and (problem := forgetting_problem(alias)):
        place = f"{NAME}['REPLAY_CACHE']"
        yield error("E046", f"{place} is not set, and {uses} could be used twice: the cache {alias!r} {problem}.")


@of_valid_settings
def check_transactions(**_: object) -> Iterator[checks.CheckMessage]:
    """Look for used proofs and answers that an error in a request would undo, because of ATOMIC_REQUESTS.

    The first are an error (E048), because a proof could be used twice; the others are a warning (W058).
    """
    alias = introspection_settings.REPLAY_CACHE
    if _has_proofs_in_views() and (database := _undoing_database(alias)):
        text = (
            f"{NAME}['REPLAY_CACHE'] must not use the cache {alias!r}: its database {database!r} has ATOMIC_REQUESTS."
        )
        yield error("E048", text)
    for use, alias in _uses_in_views(token_backends.made()):
        if database := _undoing_database(alias):
            text = f"The cache {alias!r} ({use}) writes to the database {database!r}, which has ATOMIC_REQUESTS."
            yield warning("W058", text, f"CACHES[{alias!r}]")


@of_valid_settings
def check_eviction(**_: object) -> Iterator[checks.CheckMessage]:
    """Look for tombstones and used proofs in a cache whose server may evict entries (W056)."""
    for key, alias in _memories():
        if may_evict(alias):
            text = f"{NAME}[{key!r}] relies on the cache {alias!r}, whose server must not evict entries."
            yield warning("W056", text)


@of_valid_settings
def check_timeouts(**_: object) -> Iterator[checks.CheckMessage]:
    """Look for Redis and Valkey caches that wait without an end (W057)."""
    for alias, uses in cache_uses(token_backends.made()).items():
        if may_hang(alias):
            named = f"The cache {alias!r} ({', '.join(uses)})"
            text = f"{named} has no socket_timeout: a server that hangs holds every request."
            yield warning("W057", text, f"CACHES[{alias!r}]")


def cache_uses(backends: Iterable[TokenBackend]) -> dict[str, list[str]]:
    """Return what each cache is used for, by alias; raises InvalidSetting."""
    uses: dict[str, list[str]] = {}
    for use, alias in (*_uses_in_views(backends), *_further_uses()):
        uses.setdefault(alias, []).append(use)
    return uses


def _uses_in_views(backends: Iterable[TokenBackend]) -> Iterator[tuple[str, str]]:
    """Yield what views of the project write to a cache besides used proofs, and its alias."""
    for backend in backends:
        if backend.cache_options is not None:
            yield f"answers of {backend.alias}", backend.cache_options.ALIAS
    if apps.is_installed("django_introspection") and introspection_settings.COUNTERS is not None:
        yield "counters", introspection_settings.COUNTERS.alias


def _further_uses() -> Iterator[tuple[str, str]]:
    if introspection_settings.REVOCATIONS is not None:
        use = "tombstones" if introspection_settings.REVOCATIONS.has_tombstones else "cut-offs"
        yield use, introspection_settings.REVOCATIONS.alias
    if apps.is_installed("django_introspection"):
        yield "failures of callers", introspection_settings.THROTTLE.ALIAS
        if introspection_settings.REVOCATION_FEED.ALIAS is not None:
            yield "the feed of revocations", introspection_settings.REVOCATION_FEED.ALIAS
    for use in _replayable():
        yield f"used {use}", introspection_settings.REPLAY_CACHE


def _memories() -> Iterator[tuple[str, str]]:
    """Yield the settings whose cache must not forget, and its alias."""
    if introspection_settings.REVOCATIONS is not None:
        yield "REVOCATIONS", introspection_settings.REVOCATIONS.alias
    if "REPLAY_CACHE" in introspection_settings.values or any(_replayable()):
        yield "REPLAY_CACHE", introspection_settings.REPLAY_CACHE


def _replayable() -> Iterator[str]:
    """Yield what this project accepts once."""
    if apps.is_installed("django_introspection") and introspection_settings.ISSUER is not None and jose.is_installed():
        yield "client assertions"
    if _accept_proofs(protected_places()):
        yield "DPoP proofs"


def _undoing_database(alias: str) -> str | None:
    """Return the database with ATOMIC_REQUESTS that a cache writes to; None if there is none."""
    database = database_of(caches[alias]) if is_database_cache(alias) else None
    return None if database is None or not connections.settings[database]["ATOMIC_REQUESTS"] else database


def _has_proofs_in_views() -> bool:
    """Return whether a view accepts proofs: the paths of the middleware are outside of the transaction of a request."""
    paths = path_places()
    return _accept_proofs(place for place in protected_places() if place not in paths)


def _accept_proofs(places: Iterable[ProtectedPlace]) -> bool:
    return any(DPOP in place.schemes for place in places if are_schemes(place.schemes))
