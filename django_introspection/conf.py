"""The settings under TOKEN_INTROSPECTION: read on access, one typed property each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string

from .exceptions import InvalidSetting
from .protocol.identifiers import issuer_problem

NAME = "TOKEN_INTROSPECTION"
DATABASE_BACKEND = "django_introspection.backends.DatabaseBackend"
DAY = 24 * 60 * 60

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Throttle:
    """What is counted in the cache ALIAS, in windows of PERIOD seconds."""

    FAILURES: int = 20
    PERIOD: int = 60
    ALIAS: str = "default"
    INACTIVE_SIGNAL: int = 1000
    INACTIVE_LIMIT: int | None = None


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
        return self._function("SUBJECT", "django_introspection.conf.user_pk")

    @property
    def MEMBERS(self) -> Callable[..., Mapping[str, Any]] | None:
        """The function that adds members to an answer, told who asks."""
        return None if self.values.get("MEMBERS") is None else self._function("MEMBERS")

    @property
    def THROTTLE(self) -> Throttle:
        """How many failures and inactive answers a caller may have."""
        values: Any = self.values.get("THROTTLE", {})
        names = {each.name for each in fields(Throttle)}
        if not isinstance(values, Mapping) or values.keys() - names:
            raise _invalid("THROTTLE", f"a dictionary with these keys is expected: {', '.join(sorted(names))}")
        throttle = Throttle(**values)
        for name in ("FAILURES", "PERIOD", "INACTIVE_SIGNAL"):
            if not _is_count(getattr(throttle, name)):
                raise _invalid_entry("THROTTLE", name, "a whole number, 1 or more, is expected")
        if throttle.INACTIVE_LIMIT is not None and not _is_count(throttle.INACTIVE_LIMIT):
            raise _invalid_entry("THROTTLE", "INACTIVE_LIMIT", "None or a whole number, 1 or more, is expected")
        if throttle.ALIAS not in list(settings.CACHES):
            raise _invalid_entry("THROTTLE", "ALIAS", "an alias of CACHES is expected")
        return throttle

    @property
    def TRUSTED_PROXIES(self) -> tuple[Network, ...]:
        """The networks of the proxies whose X-Forwarded-For is believed."""
        values = self.values.get("TRUSTED_PROXIES")
        if values is None:
            return ()
        if not isinstance(values, (list, tuple)) or not all(isinstance(each, str) for each in values):
            raise _invalid("TRUSTED_PROXIES", "a list of networks is expected")
        try:
            return tuple(map(ip_network, values))
        except ValueError:
            raise _invalid("TRUSTED_PROXIES", "a network is an address, or one with a prefix length") from None

    def _function(self, key: str, default: str | None = None) -> Callable[..., Any]:
        try:
            return _imported(self.values.get(key, default))
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise _invalid(key, "a dotted path of a function is expected") from error

    def _seconds(self, key: str, default: int, *, least: int = 1) -> int:
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise _invalid(key, f"a whole number of seconds, {least} or more, is expected")
        return value


def user_pk(user: Any) -> str:
    """Name a user by primary key: the default of SUBJECT."""
    return str(user.pk)


@lru_cache
def _imported(path: Any) -> Callable[..., Any]:
    function: Callable[..., Any] = import_string(path)
    if not callable(function):
        raise TypeError("not a function")
    return function


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _invalid(key: str, problem: str) -> InvalidSetting:
    return InvalidSetting(f"{NAME}[{key!r}]: {problem}")


def _invalid_entry(key: str, name: str, problem: str) -> InvalidSetting:
    return InvalidSetting(f"{NAME}[{key!r}][{name!r}]: {problem}")


KEYS = frozenset(name for name in vars(Settings) if name.isupper())
introspection_settings = Settings()
