"""The token backends of this process, by alias."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from inspect import isabstract
from threading import RLock
from typing import Any

from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from ..conf import introspection_settings
from ..exceptions import InvalidBackend, InvalidSetting, UnknownBackend
from ..protocol.error_reports import conceal_locals
from ..setting_values import NAME, did_you_mean, unknown_keys
from .base import TokenBackend

ALIAS_KEYS = ("BACKEND", "OPTIONS", "CACHE", "USER")
OWN_BACKENDS = tuple(
    f"django_introspection.backends.{name}"
    for name in ("DatabaseBackend", "RemoteBackend", "JWTBackend", "RoutingBackend")
)


class TokenBackends:
    """Make each backend on first use, once per process; like `storages`, not like `connections`."""

    def __init__(self) -> None:
        self._forget()

    def __getitem__(self, alias: str) -> TokenBackend:
        if self._process != os.getpid():  # a fork that Python did not see, such as one by uWSGI
            self._forget()
        backend = self._backends.get(alias)
        if backend is None:
            with self._lock:
                backend = self._backends.get(alias) or self._backends.setdefault(alias, self.create(alias))
        return backend

    def __iter__(self) -> Iterator[str]:
        return iter(introspection_settings.BACKENDS)

    @conceal_locals
    def create(self, alias: str) -> TokenBackend:
        """Make a backend from its settings; raises InvalidBackend that names the place."""
        backend_class, entry = self.kind(alias), introspection_settings.BACKENDS[alias]
        backend = backend_class(alias, entry.get("OPTIONS", {}), entry.get("CACHE"))
        backend.user_resolver = entry.get("USER")
        return backend

    def kind(self, alias: str) -> type[TokenBackend]:
        """Return the class of a backend, without making one; raises InvalidBackend that names the place."""
        place = f"{NAME}['BACKENDS'][{alias!r}]"
        if alias not in introspection_settings.BACKENDS:
            raise UnknownBackend(f"{place} does not exist{did_you_mean(alias, introspection_settings.BACKENDS)}.")
        entry = introspection_settings.BACKENDS[alias]
        if not isinstance(entry, dict) or "BACKEND" not in entry:
            raise InvalidBackend(f"{place} must be a dictionary with 'BACKEND'.")
        if unknown := entry.keys() - set(ALIAS_KEYS):
            raise InvalidBackend(f"{place} {unknown_keys(unknown, ALIAS_KEYS)}.")
        return _backend_class(place, entry["BACKEND"])

    def problem(self, alias: str) -> InvalidSetting | None:
        """Return the error that making a backend raises, None if its settings are valid."""
        try:
            self.create(alias).close()
        except InvalidSetting as invalid:
            return invalid
        return None

    def made(self) -> Iterator[TokenBackend]:
        """Yield a backend of each alias with valid settings, apart from those in use, and close it again."""
        for alias in self:
            with suppress(InvalidSetting):  # `problem` returns it
                backend = self.create(alias)
                backend.close()
                yield backend

    def close(self) -> None:
        """Close every backend and forget it."""
        backends = list(self._backends.values())
        self._forget()
        for backend in backends:
            backend.close()

    def _forget(self) -> None:
        """Start anew: after a fork the sockets belong to the parent, and no thread may be left to release a lock."""
        self._process = os.getpid()
        self._lock = RLock()
        self._backends: dict[str, TokenBackend] = {}


def _backend_class(place: str, path: Any) -> type[TokenBackend]:
    try:
        backend_class = import_string(path)
    except Exception as error:  # whatever a module raises on import, it is this setting that is wrong
        raise InvalidBackend(
            f"{place}['BACKEND'] cannot be imported ({type(error).__name__}){did_you_mean(path, OWN_BACKENDS)}."
            f" The backends of this package are {', '.join(OWN_BACKENDS)}."
        ) from error
    if not (isinstance(backend_class, type) and issubclass(backend_class, TokenBackend)) or isabstract(backend_class):
        raise InvalidBackend(f"{place}['BACKEND'] must be the dotted path of a TokenBackend.")
    return backend_class


token_backends = TokenBackends()


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting == NAME:
        token_backends.close()


setting_changed.connect(_settings_changed)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=token_backends._forget)
