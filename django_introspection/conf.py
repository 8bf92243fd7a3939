"""The settings under TOKEN_INTROSPECTION: read on access, one typed property each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string

from .exceptions import InvalidSetting
from .protocol.identifiers import issuer_problem
from .protocol.jwt import SIGNING_ALGORITHMS

NAME = "TOKEN_INTROSPECTION"
DATABASE_BACKEND = "django_introspection.backends.DatabaseBackend"
DAY = 24 * 60 * 60
KEY_SOURCES = ("KEY", "FILE", "ENV")


class Settings:
    """Read the settings of the package; every property raises InvalidSetting for a wrong value."""

    @property
    def values(self) -> Mapping[str, Any]:
        """Everything under TOKEN_INTROSPECTION."""
        values = getattr(settings, NAME, {})
        if not isinstance(values, Mapping):
            raise InvalidSetting(f"{NAME}: a dictionary is expected")
        return values

    @property
    def ISSUER(self) -> str | None:
        """The issuer identifier of this authorization server (RFC 8414 §2)."""
        issuer = self.values.get("ISSUER")
        if issuer is None:
            return None
        if not isinstance(issuer, str):
            raise _invalid("ISSUER", "a string is expected")
        if problem := issuer_problem(issuer):
            raise _invalid("ISSUER", problem)
        return issuer

    @property
    def BACKENDS(self) -> Mapping[str, Mapping[str, Any]]:
        """Token backends by alias; DatabaseBackend alone where the tables are installed."""
        backends = self.values.get("BACKENDS")
        if backends is None:
            own_tables = apps.is_installed("django_introspection")
            return {"default": {"BACKEND": DATABASE_BACKEND}} if own_tables else {}
        if not isinstance(backends, Mapping):
            raise _invalid("BACKENDS", "a dictionary of aliases is expected")
        return backends

    @property
    def ACCESS_TOKEN_LIFETIME(self) -> int:
        """Seconds that an access token lives (RFC 6750 §5.3: an hour or less)."""
        return self._seconds("ACCESS_TOKEN_LIFETIME", 3600)

    @property
    def REFRESH_TOKEN_LIFETIME(self) -> int:
        """Seconds that a refresh token lives."""
        return self._seconds("REFRESH_TOKEN_LIFETIME", 30 * DAY)

    @property
    def LEEWAY(self) -> int:
        """Seconds that the clocks of a resource server and its authorization server may differ."""
        return self._seconds("LEEWAY", 30, least=0)

    @property
    def SUBJECT(self) -> Callable[[Any], str]:
        """The function that names a user as `sub`."""
        path = self.values.get("SUBJECT", "django_introspection.conf.user_pk")
        try:
            return _imported(path)
        except (ImportError, AttributeError, TypeError) as error:
            raise _invalid("SUBJECT", "a dotted path of a function is expected") from error

    @property
    def KEYS(self) -> tuple[Mapping[str, Any], ...]:
        """Where the signing keys are: the first signs, all are published. See `keys.signing_keys` for what they are."""
        entries = self.values.get("KEYS", ())
        if not isinstance(entries, (list, tuple)):
            raise _invalid("KEYS", "a list is expected")
        for number, entry in enumerate(entries):
            if problem := _key_problem(entry):
                raise InvalidSetting(f"{NAME}['KEYS'][{number}]: {problem}")
        return tuple(entries)

    @property
    def REPLAY_CACHE(self) -> str:
        """The alias in CACHES that remembers what may be used once."""
        alias = self.values.get("REPLAY_CACHE", "default")
        if not isinstance(alias, str) or alias not in settings.CACHES:
            raise _invalid("REPLAY_CACHE", "an alias of CACHES is expected")
        return alias

    @property
    def JWKS_HOSTS(self) -> frozenset[str]:
        """Hosts that a `jwks_uri` may name although their addresses are not public."""
        hosts = self.values.get("JWKS_HOSTS", ())
        if not isinstance(hosts, (list, tuple, set, frozenset)) or not all(isinstance(host, str) for host in hosts):
            raise _invalid("JWKS_HOSTS", "a list of host names is expected")
        return frozenset(host.lower() for host in hosts)

    def _seconds(self, key: str, default: int, *, least: int = 1) -> int:
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise _invalid(key, f"a whole number of seconds, {least} or more, is expected")
        return value


def user_pk(user: Any) -> str:
    """Name a user by primary key: the default of SUBJECT."""
    return str(user.pk)


@lru_cache
def _imported(path: str) -> Callable[[Any], str]:
    function: Callable[[Any], str] = import_string(path)
    if not callable(function):
        raise TypeError("not a function")
    return function


def _key_problem(entry: Any) -> str | None:
    if not isinstance(entry, Mapping):
        return "a dictionary is expected"
    if unknown := sorted(map(repr, entry.keys() - {*KEY_SOURCES, "KID", "ALG"})):
        return f"unknown: {', '.join(unknown)}"
    if len(entry.keys() & set(KEY_SOURCES)) != 1:
        return f"one of {', '.join(KEY_SOURCES)} is expected"
    if not isinstance(entry.get("KID", "-"), str) or not entry.get("KID", "-"):
        return "'KID' is not a string"
    if entry.get("ALG", SIGNING_ALGORITHMS[0]) not in SIGNING_ALGORITHMS:
        return f"'ALG' is not one of {', '.join(SIGNING_ALGORITHMS)}"
    return None


def _invalid(key: str, problem: str) -> InvalidSetting:
    return InvalidSetting(f"{NAME}[{key!r}]: {problem}")


KEYS = frozenset(name for name in vars(Settings) if name.isupper())
introspection_settings = Settings()
