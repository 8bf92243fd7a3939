"""The system checks of the caches: each must be fit for its uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.apps import apps
from django.core import checks

from . import jose
from .backends.base import TokenBackend
from .backends.registry import token_backends
from .cache_properties import forgetting_problem, may_evict, may_hang, use_problem
from .check_messages import TAG, error, of_valid_settings, warning
from .conf import introspection_settings
from .protocol.presented import DPOP, are_schemes
from .resource_server.protected_views import protected_places
from .setting_values import NAME


def register() -> None:
    """Register the checks of the caches; a second call changes nothing."""
    for check in (check_use, check_memory):
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
    for backend in backends:
        if backend.cache_options is not None:
            uses.setdefault(backend.cache_options.ALIAS, []).append(f"answers of {backend.alias}")
    for use, alias in _further_uses():
        uses.setdefault(alias, []).append(use)
    return uses


def _further_uses() -> Iterator[tuple[str, str]]:
    if introspection_settings.REVOCATIONS is not None:
        use = "tombstones" if introspection_settings.REVOCATIONS.has_tombstones else "cut-offs"
        yield use, introspection_settings.REVOCATIONS.alias
    if apps.is_installed("django_introspection"):
        yield "failures of callers", introspection_settings.THROTTLE.ALIAS
        if introspection_settings.REVOCATION_FEED.ALIAS is not None:
            yield "the feed of revocations", introspection_settings.REVOCATION_FEED.ALIAS
        if introspection_settings.COUNTERS is not None:
            yield "counters", introspection_settings.COUNTERS.alias
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
    if any(DPOP in place.schemes for place in protected_places() if are_schemes(place.schemes)):
        yield "DPoP proofs"
