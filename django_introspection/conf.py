"""The settings under TOKEN_INTROSPECTION, one typed attribute each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .certificate_setting import ClientCertificates
from .exceptions import InvalidSetting
from .personal_token_setting import PersonalTokens
from .protocol.identifiers import is_origin, issuer_problem
from .protocol.opaque import DEFAULT_PREFIX, TokenPrefix, prefix_problem
from .setting_values import (
    BACKEND_ALIAS,
    BOOLEAN,
    NAME,
    Counters,
    Leaks,
    ProtectedPath,
    Resource,
    RevocationFeed,
    Revocations,
    Throttle,
    TrustedProxies,
    cache_alias,
    invalid_setting,
    one_of,
    read_metadata,
    seconds_problem,
)

DATABASE_BACKEND = "django_introspection.backends.DatabaseBackend"
DATABASE_CLIENTS = "django_introspection.authorization_server.clients.DatabaseClients"
CLIENT_POLICIES = ("own", "none", "audience", "any")
DAY = 24 * 60 * 60


class Settings:
    """The settings of the package. Each is parsed on first use and kept until the settings change.

    A wrong value raises InvalidSetting at every read. Django's signal `setting_changed` (sent by `override_settings`
    and by pytest-django) makes this object forget; a dictionary that is changed in place is not read again.
    """

    def forget(self) -> None:
        """Forget every value that was read."""
        self.__dict__ = {}  # a thread that still parses the old settings keeps its result in the old dictionary

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """Everything under TOKEN_INTROSPECTION."""
        values = getattr(settings, NAME, {})
        if not isinstance(values, Mapping):
            raise invalid_setting(problem="must be a dictionary")
        return values

    @cached_property
    def ISSUER(self) -> str | None:
        """The issuer identifier of this authorization server (RFC 8414 §2)."""
        issuer = self.values.get("ISSUER")
        if issuer is None:
            return None
        if not isinstance(issuer, str):
            raise invalid_setting("ISSUER", problem="must be a string")
        if problem := issuer_problem(issuer):
            raise invalid_setting("ISSUER", problem=problem)
        return issuer

    @cached_property
    def BACKENDS(self) -> Mapping[str, Mapping[str, Any]]:
        """The token backends by alias; DatabaseBackend alone if the tables are installed."""
        backends = self.values.get("BACKENDS")
        if backends is None:
            own_tables = apps.is_installed("django_introspection")
            return {"default": {"BACKEND": DATABASE_BACKEND}} if own_tables else {}
        if not isinstance(backends, Mapping):
            raise invalid_setting("BACKENDS", problem="must be a dictionary of aliases")
        return backends

    @cached_property
    def SERVICES(self) -> Mapping[str, Mapping[str, Any]]:
        """The APIs that this project gets tokens for, by alias."""
        return self._mapping("SERVICES", "must be a dictionary of aliases")

    @cached_property
    def INTROSPECTION_BACKEND(self) -> str | None:
        """The alias of the token backend that the introspection endpoint asks; None for the tables of this app."""
        alias = self.values.get("INTROSPECTION_BACKEND")
        if alias is not None and (not isinstance(alias, str) or alias not in self.BACKENDS):
            raise invalid_setting("INTROSPECTION_BACKEND", problem=BACKEND_ALIAS)
        return alias

    @cached_property
    def CLIENT_SOURCES(self) -> tuple[str, ...]:
        """The dotted paths of the sources of clients that may call the endpoints."""
        paths = self._strings("CLIENT_SOURCES", (DATABASE_CLIENTS,), "must be a list of dotted paths")
        if not paths:
            raise invalid_setting("CLIENT_SOURCES", problem="must not be empty")
        return paths

    @cached_property
    def CLIENT_POLICY(self) -> str:
        """The introspection policy of a client of another source that has no row of `Client`."""
        policy = self.values.get("CLIENT_POLICY", CLIENT_POLICIES[0])
        if policy not in CLIENT_POLICIES:
            raise invalid_setting("CLIENT_POLICY", problem=one_of(CLIENT_POLICIES))
        return str(policy)

    @cached_property
    def CLIENT_LOCAL_MAX_AGE(self) -> int:
        """The seconds for which a process keeps the record of a client that introspects; 0 for none."""
        return self._seconds("CLIENT_LOCAL_MAX_AGE", 0, least=0)

    @cached_property
    def BEARER_WITHOUT_AUDIENCE(self) -> bool:
        """Whether a caller of the introspection endpoint may authenticate with a token that names no audience."""
        return self._boolean("BEARER_WITHOUT_AUDIENCE")

    @cached_property
    def ACCESS_TOKEN_LIFETIME(self) -> int:
        """The lifetime of an access token in seconds (RFC 6750 §5.3: an hour or less)."""
        return self._seconds("ACCESS_TOKEN_LIFETIME", 3600)

    @cached_property
    def REFRESH_TOKEN_LIFETIME(self) -> int:
        """The seconds from the first to the last refresh token of a grant."""
        return self._seconds("REFRESH_TOKEN_LIFETIME", 30 * DAY)

    @cached_property
    def REFRESH_TOKEN_IDLE(self) -> int:
        """The seconds after which a refresh token that was not used ends (RFC 9700 §4.14.2)."""
        return self._seconds("REFRESH_TOKEN_IDLE", 14 * DAY)

    @cached_property
    def REFRESH_GRACE(self) -> int:
        """The seconds in which a used refresh token may be used again, as long as its successor was not."""
        return self._seconds("REFRESH_GRACE", 0, least=0)

    @cached_property
    def TOKEN_PREFIX(self) -> TokenPrefix:
        """The beginning of the tokens and client secrets that this deployment generates."""
        prefix = self.values.get("TOKEN_PREFIX", DEFAULT_PREFIX)
        problem = prefix_problem(prefix) if isinstance(prefix, str) else "must be a string"
        if problem:
            raise invalid_setting("TOKEN_PREFIX", problem=problem)
        return TokenPrefix(prefix)

    @cached_property
    def REVOKE_ON_PASSWORD_CHANGE(self) -> bool:
        """Whether a user's tokens are revoked when the user's password changes."""
        return self._boolean("REVOKE_ON_PASSWORD_CHANGE")

    @cached_property
    def RESOURCES(self) -> Mapping[str, Resource]:
        """The resources that clients may request with `resource`, by identifier (RFC 8707 §2)."""
        entries = self._mapping("RESOURCES", "must be a dictionary of resource identifiers")
        resources = {identifier: Resource.read(identifier, entry) for identifier, entry in entries.items()}
        if sum(resource.is_default for resource in resources.values()) > 1:
            raise invalid_setting("RESOURCES", problem="must have at most one default resource")
        return resources

    @cached_property
    def AUTHORIZATION_DETAILS_TYPES(self) -> Mapping[str, Callable[..., Any] | None]:
        """The types of authorization details (RFC 9396 §2), each with the function that checks it if there is one."""
        key = "AUTHORIZATION_DETAILS_TYPES"
        entries = self._mapping(key, "must be a dictionary of types")
        if not all(isinstance(name, str) and name for name in entries):
            raise invalid_setting(key, problem="must have strings that are not empty as keys")
        return {name: None if path is None else _imported(path, key, name) for name, path in entries.items()}

    @cached_property
    def PROTECTED_PATHS(self) -> tuple[ProtectedPath, ...]:
        """The paths below which `middleware.ProtectedPaths` requires a token."""
        entries = self._mapping("PROTECTED_PATHS", "must be a dictionary of paths")
        paths = tuple(ProtectedPath.read(prefix, entry, self.BACKENDS) for prefix, entry in entries.items())
        if len({path.prefix.strip("/").casefold() for path in paths}) < len(paths):
            problem = "must not have the same path twice; case and a final slash make no difference"
            raise invalid_setting("PROTECTED_PATHS", problem=problem)
        return paths

    @cached_property
    def REVOCATIONS(self) -> Revocations | None:
        """The cache for tombstones of revoked tokens."""
        entry = self.values.get("REVOCATIONS")
        return None if entry is None else Revocations.read(entry)

    @cached_property
    def REVOCATION_FEED(self) -> RevocationFeed:
        """How the feed of revocations is served."""
        return RevocationFeed.read(self.values.get("REVOCATION_FEED", {}))

    @cached_property
    def COUNTERS(self) -> Counters | None:
        """The cache that counts failed authentications and inactive answers by day."""
        entry = self.values.get("COUNTERS")
        return None if entry is None else Counters.read(entry)

    @cached_property
    def LEAKS(self) -> Leaks:
        """The keys of signed alerts about leaked credentials, and the receivers of e-mails about them."""
        return Leaks.read(self.values.get("LEAKS", {}))

    @cached_property
    def LEEWAY(self) -> int:
        """The seconds by which the clocks of a resource server and its authorization server may differ."""
        return self._seconds("LEEWAY", 30, least=0)

    @cached_property
    def SUBJECT(self) -> Callable[[Any], str]:
        """The function that returns the `sub` of a user."""
        return self._function("SUBJECT", "django_introspection.conf.user_pk")

    @cached_property
    def MEMBERS(self) -> Callable[..., Mapping[str, Any]] | None:
        """The function that adds members to an answer, depending on the caller."""
        return None if self.values.get("MEMBERS") is None else self._function("MEMBERS")

    @cached_property
    def METADATA(self) -> Mapping[str, Any]:
        """The further members of the metadata document of this authorization server (RFC 8414 §2)."""
        members = read_metadata(self.values.get("METADATA", {}), "METADATA")
        if "authorization_endpoint" in members and "response_types_supported" not in members:
            problem = "must have response_types_supported beside authorization_endpoint (RFC 8414 §2)"
            raise invalid_setting("METADATA", problem=problem)
        return members

    @cached_property
    def THROTTLE(self) -> Throttle:
        """How many failures and inactive answers a caller may have."""
        return Throttle.read(self.values.get("THROTTLE", {}))

    @cached_property
    def TRUSTED_PROXIES(self) -> TrustedProxies:
        """The proxies whose headers about the client count: X-Forwarded-For and CLIENT_CERTIFICATES."""
        return TrustedProxies.read(self._strings("TRUSTED_PROXIES", (), "must be a list of networks"))

    @cached_property
    def CLIENT_CERTIFICATES(self) -> ClientCertificates | None:
        """How the certificates of TLS clients get here (RFC 8705); None if none are read."""
        entry = self.values.get("CLIENT_CERTIFICATES")
        return None if entry is None else ClientCertificates.read(entry)

    @cached_property
    def SIGNING_KEYS(self) -> tuple[Any, ...]:
        """The entries of the signing keys: the first signs, all are published. The module `keys` reads them."""
        entries = self.values.get("SIGNING_KEYS", ())
        if not isinstance(entries, (list, tuple)):
            raise invalid_setting("SIGNING_KEYS", problem="must be a list")
        return tuple(entries)

    @cached_property
    def REPLAY_CACHE(self) -> str:
        """The alias of the cache that remembers used assertions and proofs."""
        return cache_alias(self.values.get("REPLAY_CACHE", "default"), "REPLAY_CACHE")

    @cached_property
    def ORIGINS(self) -> tuple[str, ...]:
        """The origins at which clients reach this API; empty if the audience of each backend names them."""
        problem = "must be a list of https URLs without path"
        origins = self._strings("ORIGINS", (), problem)
        if not all(map(is_origin, origins)):
            raise invalid_setting("ORIGINS", problem=problem)
        return origins

    @cached_property
    def DPOP_NONCE(self) -> bool:
        """Whether a DPoP proof at a protected view needs a nonce of this resource server (RFC 9449 §9)."""
        return self._boolean("DPOP_NONCE")

    @cached_property
    def ENDPOINTS_DPOP_NONCE(self) -> bool:
        """Whether a DPoP proof at the token or introspection endpoint needs a nonce of this server (RFC 9449 §8)."""
        return self._boolean("ENDPOINTS_DPOP_NONCE")

    @cached_property
    def PERSONAL_TOKENS(self) -> PersonalTokens:
        """The limits of the tokens that people make for themselves."""
        return PersonalTokens.read(self.values.get("PERSONAL_TOKENS", {}), _imported)

    @cached_property
    def JWKS_HOSTS(self) -> frozenset[str]:
        """The hosts that a `jwks_uri` may name although their addresses are not public."""
        hosts = self._strings("JWKS_HOSTS", (), "must be a list of host names")
        return frozenset(host.lower() for host in hosts)

    def _boolean(self, key: str) -> bool:
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise invalid_setting(key, problem=BOOLEAN)
        return value

    def _seconds(self, key: str, default: int, *, least: int = 1) -> int:
        value = self.values.get(key, default)
        if problem := seconds_problem(value, least=least):
            raise invalid_setting(key, problem=problem)
        return int(value)

    def _strings(self, key: str, default: tuple[str, ...], problem: str) -> tuple[str, ...]:
        values = self.values.get(key)
        if values is None:
            return default
        if not isinstance(values, (list, tuple, set, frozenset)) or not all(isinstance(each, str) for each in values):
            raise invalid_setting(key, problem=problem)
        return tuple(values)

    def _mapping(self, key: str, problem: str) -> Mapping[Any, Any]:
        entries = self.values.get(key, {})
        if not isinstance(entries, Mapping):
            raise invalid_setting(key, problem=problem)
        return entries

    def _function(self, key: str, default: str | None = None) -> Callable[..., Any]:
        return _imported(self.values.get(key, default), key)


def _imported(path: Any, *place: str) -> Callable[..., Any]:
    problem = "must be the dotted path of a function"
    try:
        function: Any = import_string(path)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise invalid_setting(*place, problem=problem) from error
    if not callable(function):
        raise invalid_setting(*place, problem=problem)
    return function  # type: ignore[no-any-return]  # what it takes and returns is checked when it is called


def user_pk(user: Any) -> str:
    """Return the primary key of a user as a string: the default of SUBJECT."""
    return str(user.pk)


SETTING_NAMES = frozenset(name for name in vars(Settings) if name.isupper())
introspection_settings = Settings()


def setting_problem(key: str) -> InvalidSetting | None:
    """Return the error that reading a setting raises, None if the setting is valid."""
    try:
        getattr(introspection_settings, key)
    except InvalidSetting as invalid:
        return invalid
    return None


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting in (NAME, "CACHES", "INSTALLED_APPS"):  # aliases are checked, and one default depends on the apps
        introspection_settings.forget()


setting_changed.connect(_settings_changed)
