"""The backend of an issuer, made of the configuration that a function of the project returns for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from copy import deepcopy
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from asgiref.sync import async_to_sync

from ..conf import introspection_settings
from ..exceptions import InvalidBackend, InvalidSetting
from ..hooks import call_hook
from ..setting_values import NAME
from .base import TokenBackend
from .registry import kind_of, token_backends

logger = logging.getLogger("django_introspection")

Configuration = str | Mapping[str, Any]
"""The alias of a backend, or an entry like those of BACKENDS."""


class Found(NamedTuple):
    """The result of a look-up: no configuration, a backend, or the problem of a configuration that cannot be used."""

    configuration: Configuration | None = None
    backend: TokenBackend | None = None
    problem: str | None = None


class IssuerBackends:
    """Ask `find` for the configuration of an issuer, and make its backend.

    `alias` is that of the routing backend. `audience` is that of a configuration without one. If `find` is a coroutine
    function, it is cancelled after `timeout` seconds.
    """

    def __init__(self, alias: str, find: Callable[[str], Any], *, audience: frozenset[str], timeout: float) -> None:
        self._alias, self._audience = alias, audience
        self._place = f"{NAME}['BACKENDS'][{alias!r}]['OPTIONS']['issuers']"
        is_async = iscoroutinefunction(find) or iscoroutinefunction(getattr(find, "__call__", None))  # noqa: B004
        self._find = _for_threads(find, timeout) if is_async else find

    def look_up(self, issuer: str, kept: Found) -> Found:
        """Look up an issuer anew; `kept` is returned if its configuration is still the same.

        Raises IntrospectionUnavailable if the function fails.
        """
        configuration: Configuration | None = {}
        try:
            configuration = call_hook(self._place, self._find, issuer, read=_copied, passing=(InvalidSetting,))
            if configuration == kept.configuration and kept.problem is None:
                return kept
            if configuration is None:
                return Found()
            return Found(configuration, self._backend(issuer, configuration))
        except InvalidSetting as problem:
            if str(problem) != kept.problem:
                logger.error("issuer cannot be used backend=%s issuer=%s: %s", self._alias, issuer, problem)
            return Found(configuration, problem=str(problem))

    def make(self, issuer: str, entry: Mapping[str, Any]) -> TokenBackend:
        """Make the backend of an issuer from an entry like those of BACKENDS; raises InvalidBackend."""
        alias = f"{self._alias}:{issuer}"
        place = f"{NAME}['BACKENDS'][{alias!r}]"
        options = entry.get("OPTIONS", {})
        if isinstance(options, Mapping):
            audience = {"audience": sorted(self._audience)} if self._audience else {}
            entry = {**entry, "OPTIONS": {"issuer": issuer, **audience, **options}}
        try:
            if kind_of(alias, entry).is_router:
                raise InvalidBackend("['BACKEND'] must not be a routing backend.")
            backend = token_backends.make(alias, entry)
            if problem := _problem(backend, issuer):
                backend.close()
                raise InvalidBackend(f"{problem}.")
        except InvalidBackend as problem:
            raise InvalidBackend(str(problem).removeprefix(place).strip()) from None
        backend.is_looked_up = True
        return backend

    def _backend(self, issuer: str, configuration: Configuration) -> TokenBackend:
        if not isinstance(configuration, str):
            return self.make(issuer, configuration)
        alias = configuration
        if alias not in introspection_settings.BACKENDS:
            raise InvalidBackend(f"{alias!r} is not an alias of BACKENDS.")
        backend = token_backends[alias]
        if backend.is_router:
            raise InvalidBackend(f"{alias!r} is a routing backend.")
        if backend.issuer not in (None, issuer):
            raise InvalidBackend(f"{alias!r} is the backend of another issuer.")
        return backend


def _for_threads(find: Callable[[str], Any], timeout: float) -> Callable[[str], Any]:
    async def find_in_time(issuer: str) -> Any:
        async with asyncio.timeout(timeout):
            return await find(issuer)

    return async_to_sync(find_in_time)


def _problem(backend: TokenBackend, issuer: str) -> str | None:
    """Return why a backend that was made must not be used: two servers could speak for one issuer, for example."""
    if backend.issuer != issuer:
        return "['OPTIONS']['issuer'] must be the issuer that was looked up, or be left out"
    if backend.then_ask is not None:
        return "['OPTIONS']['then_ask'] must not be set: the token would be shown to another server"
    if not backend.audience and not backend.accepts_any_audience:
        return "['OPTIONS']['audience'] is required: give it here or to the routing backend, None for any audience"
    for alias in token_backends:
        if _identity_of(alias) == issuer:
            return f"['OPTIONS']['issuer'] must not be the issuer of the alias {alias!r}: return this alias instead"
    return None


def _identity_of(alias: str) -> str | None:
    try:
        backend = token_backends[alias]
    except InvalidSetting:  # the checks report it, and it answers for nobody
        return None
    return None if backend.is_router else backend.identity_issuer


def _copied(configuration: Any) -> Configuration | None:
    """Return a copy of a configuration, to compare the next one with it; raises TypeError."""
    if configuration is None or isinstance(configuration, str):
        return configuration
    if not isinstance(configuration, Mapping):
        raise TypeError("it must be None, an alias of BACKENDS or a dictionary like an entry of BACKENDS")
    return deepcopy(dict(configuration))
