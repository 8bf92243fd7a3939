"""The token backends of this process, by alias."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import isabstract
from typing import Any

from django.utils.module_loading import import_string

from ..conf import introspection_settings
from ..exceptions import InvalidBackend, InvalidSetting, UnknownBackend
from ..hooks import line_of
from ..protocol.error_reports import conceal_locals
from ..setting_values import NAME, did_you_mean, unknown_keys
from .base import TokenBackend
from .made_once import MadeOnce
from .overriding import override_problem

ALIAS_KEYS = ("BACKEND", "OPTIONS", "CACHE", "REVOCATIONS", "USER")
OWN_BACKENDS = tuple(
    f"django_introspection.backends.{name}"
    for name in ("DatabaseBackend", "RemoteBackend", "JWTBackend", "RoutingBackend")
)


class TokenBackends(MadeOnce[TokenBackend]):
    """Make each backend on first use, once per process."""

    def __iter__(self) -> Iterator[str]:
        return iter(introspection_settings.BACKENDS)

    @conceal_locals
    def create(self, alias: str) -> TokenBackend:
        """Make a backend from its settings; raises InvalidBackend that names the place."""
        return self.make(alias, _entry(alias))

    @conceal_locals
    def make(self, alias: str, entry: Any) -> TokenBackend:
        """Make a backend from an entry like those of BACKENDS; raises InvalidBackend that names the place."""
        backend_class = kind_of(alias, entry)
        try:
            backend = backend_class(alias, entry.get("OPTIONS", {}), entry.get("CACHE"))
        except InvalidSetting:
            raise
        except Exception as error:
            problem = f"raised {type(error).__name__} at {line_of(error, of=backend_class)}"
            raise InvalidBackend(f"{NAME}['BACKENDS'][{alias!r}] cannot be made: its class {problem}.") from error
        backend.user_resolver = entry.get("USER")
        if "REVOCATIONS" in entry:
            backend.follow_feed(entry["REVOCATIONS"])
        return backend

    def kind(self, alias: str) -> type[TokenBackend]:
        """Return the class of a backend, without making one; raises InvalidBackend that names the place."""
        return kind_of(alias, _entry(alias))

    def forget_issuer(self, issuer: str | None = None) -> None:
        """Let routing backends look up one issuer, or all of them, at the next token.

        Call it after a change, for the process that makes it; every other process looks up again within seconds.
        """
        for backend in list(self._made.values()):
            backend.forget_issuer(issuer)


def _entry(alias: str) -> Any:
    if alias not in introspection_settings.BACKENDS:
        close = did_you_mean(alias, introspection_settings.BACKENDS)
        raise UnknownBackend(f"{NAME}['BACKENDS'][{alias!r}] does not exist{close}.")
    return introspection_settings.BACKENDS[alias]


def kind_of(alias: str, entry: Any) -> type[TokenBackend]:
    """Return the class that an entry like those of BACKENDS names; raises InvalidBackend that names the place."""
    place = f"{NAME}['BACKENDS'][{alias!r}]"
    if not isinstance(entry, dict) or "BACKEND" not in entry:
        raise InvalidBackend(f"{place} must be a dictionary with 'BACKEND'.")
    if unknown := entry.keys() - set(ALIAS_KEYS):
        raise InvalidBackend(f"{place} {unknown_keys(unknown, ALIAS_KEYS)}.")
    return _backend_class(place, entry["BACKEND"])


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
    if problem := override_problem(backend_class):
        raise InvalidBackend(f"{place}['BACKEND'] {problem}.")
    return backend_class


token_backends = TokenBackends()
