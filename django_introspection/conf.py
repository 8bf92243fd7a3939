"""The settings under TOKEN_INTROSPECTION: read on access, one typed property each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string

from .exceptions import InvalidSetting
from .protocol.identifiers import issuer_problem, on_host_of, resource_problem
from .protocol.jwt import SIGNING_ALGORITHMS
from .protocol.paths import has_several_readings, merge_slashes
from .protocol.presented import SCHEMES
from .protocol.scope import parse_scope

NAME = "TOKEN_INTROSPECTION"
DATABASE_BACKEND = "django_introspection.backends.DatabaseBackend"
DATABASE_CLIENTS = "django_introspection.authorization_server.clients.DatabaseClients"
CLIENT_POLICIES = ("own", "none", "audience", "any")
DAY = 24 * 60 * 60
TOKEN_FORMATS = ("opaque", "jwt")
KEY_SOURCES = ("KEY", "FILE", "ENV")
MAX_PREFIX = 100
"""Characters before the 64 of an identity: some caches take keys of 250, with a prefix of their own."""


class Resource(NamedTuple):
    """A resource that tokens can be asked for: its scopes, whether its tokens are JWTs, and its name for people."""

    scopes: frozenset[str]
    is_default: bool
    takes_jwt: bool
    name: str | None = None


class ProtectedPath(NamedTuple):
    """What the middleware asks of every request below a path."""

    prefix: str
    scopes: tuple[str, ...]
    backend: str
    schemes: tuple[str, ...]


class Revocations(NamedTuple):
    """Where tombstones are: the alias of a cache, and what their keys begin with."""

    alias: str
    prefix: str


class Counters(NamedTuple):
    """Where things are counted by day: the alias of a cache."""

    alias: str


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
    def INTROSPECTION_BACKEND(self) -> str | None:
        """The alias of the token backend that the introspection endpoint asks; the tables of this app where None."""
        alias = self.values.get("INTROSPECTION_BACKEND")
        if alias is not None and (not isinstance(alias, str) or alias not in self.BACKENDS):
            raise _invalid("INTROSPECTION_BACKEND", "an alias of BACKENDS is expected")
        return alias

    @property
    def CLIENT_SOURCES(self) -> tuple[str, ...]:
        """The dotted paths of the sources of clients that may call the endpoints."""
        paths = self.values.get("CLIENT_SOURCES", (DATABASE_CLIENTS,))
        if not isinstance(paths, (list, tuple)) or not paths or not all(isinstance(path, str) for path in paths):
            raise _invalid("CLIENT_SOURCES", "a list of dotted paths is expected")
        return tuple(paths)

    @property
    def CLIENT_POLICY(self) -> str:
        """The introspection policy of a client of another source that no row of `Client` names."""
        policy = self.values.get("CLIENT_POLICY", CLIENT_POLICIES[0])
        if policy not in CLIENT_POLICIES:
            raise _invalid("CLIENT_POLICY", f"one of {', '.join(CLIENT_POLICIES)} is expected")
        return str(policy)

    @property
    def BEARER_WITHOUT_AUDIENCE(self) -> bool:
        """Whether a bearer token that names no audience is taken from a caller of the introspection endpoint."""
        value = self.values.get("BEARER_WITHOUT_AUDIENCE", False)
        if not isinstance(value, bool):
            raise _invalid("BEARER_WITHOUT_AUDIENCE", "True or False is expected")
        return value

    @property
    def ACCESS_TOKEN_LIFETIME(self) -> int:
        """Seconds that an access token lives (RFC 6750 §5.3: an hour or less)."""
        return self._seconds("ACCESS_TOKEN_LIFETIME", 3600)

    @property
    def REFRESH_TOKEN_LIFETIME(self) -> int:
        """Seconds from the first to the last refresh token of a grant."""
        return self._seconds("REFRESH_TOKEN_LIFETIME", 30 * DAY)

    @property
    def REFRESH_TOKEN_IDLE(self) -> int:
        """Seconds after which a refresh token that was not used ends (RFC 9700 §4.14.2)."""
        return self._seconds("REFRESH_TOKEN_IDLE", 14 * DAY)

    @property
    def REFRESH_GRACE(self) -> int:
        """Seconds in which a used refresh token may be used again, as long as its successor was not."""
        return self._seconds("REFRESH_GRACE", 0, least=0)

    @property
    def RESOURCES(self) -> Mapping[str, Resource]:
        """What may be asked for with `resource`, by identifier (RFC 8707 §2)."""
        resources = self.values.get("RESOURCES", {})
        if not isinstance(resources, Mapping):
            raise _invalid("RESOURCES", "a dictionary of resource identifiers is expected")
        named = {identifier: _resource(identifier, entry) for identifier, entry in resources.items()}
        if sum(resource.is_default for resource in named.values()) > 1:
            raise _invalid("RESOURCES", "one resource at most can be the default")
        return named

    @property
    def PROTECTED_PATHS(self) -> tuple[ProtectedPath, ...]:
        """The paths below which `middleware.ProtectedPaths` asks for a token."""
        entries = self.values.get("PROTECTED_PATHS", {})
        if not isinstance(entries, Mapping):
            raise _invalid("PROTECTED_PATHS", "a dictionary of paths is expected")
        paths = tuple(_protected_path(prefix, entry) for prefix, entry in entries.items())
        for path in paths:
            if path.backend not in self.BACKENDS:
                raise _invalid(("PROTECTED_PATHS", path.prefix, "USING"), "an alias of BACKENDS is expected")
        if len({path.prefix.strip("/").casefold() for path in paths}) < len(paths):
            raise _invalid("PROTECTED_PATHS", "two keys are the same path: case and a final slash make no difference")
        return paths

    @property
    def REVOCATIONS(self) -> Revocations | None:
        """The cache for tombstones of revoked tokens."""
        entry = self.values.get("REVOCATIONS")
        return None if entry is None else _revocations(entry)

    @property
    def COUNTERS(self) -> Counters | None:
        """The cache that counts failed authentications and inactive answers by day."""
        entry = self.values.get("COUNTERS")
        return None if entry is None else _counters(entry)

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
                raise _invalid(("THROTTLE", name), "a whole number, 1 or more, is expected")
        if throttle.INACTIVE_LIMIT is not None and not _is_count(throttle.INACTIVE_LIMIT):
            raise _invalid(("THROTTLE", "INACTIVE_LIMIT"), "None or a whole number, 1 or more, is expected")
        if throttle.ALIAS not in list(settings.CACHES):
            raise _invalid(("THROTTLE", "ALIAS"), "an alias of CACHES is expected")
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

    @property
    def SIGNING_KEYS(self) -> tuple[Mapping[str, Any], ...]:
        """Where the signing keys are: the first signs, all are published. See `keys.signing_keys` for what they are."""
        entries = self.values.get("SIGNING_KEYS", ())
        if not isinstance(entries, (list, tuple)):
            raise _invalid("SIGNING_KEYS", "a list is expected")
        for number, entry in enumerate(entries):
            if problem := key_problem(entry):
                raise InvalidSetting(f"{NAME}['SIGNING_KEYS'][{number}]: {problem}")
        return tuple(entries)

    @property
    def REPLAY_CACHE(self) -> str:
        """The alias in CACHES that remembers what may be used once."""
        alias = self.values.get("REPLAY_CACHE", "default")
        if not isinstance(alias, str) or alias not in settings.CACHES:
            raise _invalid("REPLAY_CACHE", "an alias of CACHES is expected")
        return alias

    @property
    def ORIGINS(self) -> tuple[str, ...]:
        """The origins at which clients reach this API; none where the audience of each backend tells."""
        origins = self.values.get("ORIGINS", ())
        if not isinstance(origins, (list, tuple)) or not all(map(_is_origin, origins)):
            raise _invalid("ORIGINS", "a list of https URLs without path is expected")
        return tuple(origins)

    @property
    def DPOP_NONCE(self) -> bool:
        """Whether a DPoP proof needs a nonce of this resource server (RFC 9449 §9)."""
        value = self.values.get("DPOP_NONCE", False)
        if not isinstance(value, bool):
            raise _invalid("DPOP_NONCE", "True or False is expected")
        return value

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


def is_private_cache(alias: str) -> bool:
    """Tell whether a cache keeps things from other processes, or keeps nothing."""
    return str(settings.CACHES[alias].get("BACKEND", "")).endswith(("locmem.LocMemCache", "dummy.DummyCache"))


def _resource(identifier: Any, entry: Any) -> Resource:
    if not isinstance(identifier, str) or resource_problem(identifier):
        raise _invalid("RESOURCES", "each key is an absolute URI without fragment")
    _refuse_unknown(("RESOURCES", identifier), entry, {"SCOPES", "DEFAULT", "FORMAT", "NAME"})
    scopes, is_default = entry.get("SCOPES", ()), entry.get("DEFAULT", False)
    if not isinstance(scopes, (list, tuple)) or not all(_is_scope_token(scope) for scope in scopes):
        raise _invalid(("RESOURCES", identifier, "SCOPES"), "a list of scope tokens is expected")
    if not isinstance(is_default, bool):
        raise _invalid(("RESOURCES", identifier, "DEFAULT"), "True or False is expected")
    if entry.get("FORMAT", TOKEN_FORMATS[0]) not in TOKEN_FORMATS:
        raise _invalid(("RESOURCES", identifier, "FORMAT"), f"one of {', '.join(TOKEN_FORMATS)} is expected")
    name = entry.get("NAME")
    if name is not None and (not isinstance(name, str) or not name):
        raise _invalid(("RESOURCES", identifier, "NAME"), "a string is expected")
    return Resource(frozenset(scopes), is_default, entry.get("FORMAT") == "jwt", name)


def _protected_path(prefix: Any, entry: Any) -> ProtectedPath:
    if not isinstance(prefix, str) or not prefix.startswith("/"):
        raise _invalid("PROTECTED_PATHS", "each key is a path that begins with a slash")
    prefix = merge_slashes(prefix)
    if has_several_readings(prefix):
        raise _invalid(("PROTECTED_PATHS", prefix), "a path must be decoded and have no dot segments")
    _refuse_unknown(("PROTECTED_PATHS", prefix), entry, {"SCOPE", "USING", "SCHEMES"})
    try:
        scopes = parse_scope(entry.get("SCOPE", ""))
    except (TypeError, ValueError):
        raise _invalid(
            ("PROTECTED_PATHS", prefix, "SCOPE"), "scope tokens with one space between are expected"
        ) from None
    if not isinstance(entry.get("USING", "default"), str):
        raise _invalid(("PROTECTED_PATHS", prefix, "USING"), "an alias of BACKENDS is expected")
    schemes = entry.get("SCHEMES", SCHEMES[:1])
    if not are_schemes(schemes):
        raise _invalid(("PROTECTED_PATHS", prefix, "SCHEMES"), f"a list of {' and '.join(SCHEMES)} is expected")
    return ProtectedPath(prefix, scopes, entry.get("USING", "default"), tuple(schemes))


def are_schemes(value: Any) -> bool:
    """Tell whether a value lists schemes, one at least and each once."""
    if not isinstance(value, (list, tuple)) or not value:
        return False
    return all(scheme in SCHEMES for scheme in value) and len(set(value)) == len(value)


def _is_origin(value: Any) -> bool:
    return isinstance(value, str) and issuer_problem(value) is None and value == on_host_of(value, "")


def _is_scope_token(value: Any) -> bool:
    try:
        return isinstance(value, str) and parse_scope(value) == (value,)
    except ValueError:
        return False


def _revocations(entry: Any) -> Revocations:
    _refuse_unknown(("REVOCATIONS",), entry, {"ALIAS", "PREFIX"})
    alias, prefix = entry.get("ALIAS", "default"), entry.get("PREFIX", "introspection:revoked:")
    if not isinstance(alias, str) or alias not in settings.CACHES:
        raise _invalid(("REVOCATIONS", "ALIAS"), "an alias of CACHES is expected")
    if not isinstance(prefix, str) or not prefix.isascii() or not prefix.isprintable() or " " in prefix:
        raise _invalid(("REVOCATIONS", "PREFIX"), "visible ASCII characters are expected")
    if len(prefix) > MAX_PREFIX:
        raise _invalid(("REVOCATIONS", "PREFIX"), f"{MAX_PREFIX} characters at most are expected")
    return Revocations(alias, prefix)


def _counters(entry: Any) -> Counters:
    _refuse_unknown(("COUNTERS",), entry, {"ALIAS"})
    alias = entry.get("ALIAS", "default")
    if not isinstance(alias, str) or alias not in settings.CACHES:
        raise _invalid(("COUNTERS", "ALIAS"), "an alias of CACHES is expected")
    return Counters(alias)


def _refuse_unknown(place: tuple[str, ...], entry: Any, keys: set[str]) -> None:
    if not isinstance(entry, Mapping):
        raise _invalid(place, "a dictionary is expected")
    if unknown := sorted(map(str, entry.keys() - keys)):
        raise _invalid(place, f"unknown: {', '.join(unknown)}")


@lru_cache
def _imported(path: Any) -> Callable[..., Any]:
    function: Callable[..., Any] = import_string(path)
    if not callable(function):
        raise TypeError("not a function")
    return function


def key_problem(entry: Any) -> str | None:
    """Say what is wrong with an entry that tells where a private key is, None where nothing is."""
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


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _invalid(place: str | tuple[str, ...], problem: str) -> InvalidSetting:
    keys = (place,) if isinstance(place, str) else place
    return InvalidSetting(f"{NAME}{''.join(f'[{key!r}]' for key in keys)}: {problem}")


SETTING_NAMES = frozenset(name for name in vars(Settings) if name.isupper())
introspection_settings = Settings()
