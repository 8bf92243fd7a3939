"""The settings that are dictionaries, as typed values, and the errors that name the place of a wrong value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from types import MappingProxyType
from typing import Any, NamedTuple

from django.conf import settings

from .exceptions import InvalidSetting
from .protocol.identifiers import endpoint_problem, resource_problem
from .protocol.paths import has_several_readings, merge_slashes
from .protocol.presented import SCHEMES, are_schemes
from .protocol.scope import is_scope_token, parse_scope
from .protocol.step_up import StepUp

NAME = "TOKEN_INTROSPECTION"
TOKEN_FORMATS = ("opaque", "jwt")
UNIX_SOCKET = "unix"
MAIL_TO = ("user", "admins")
MAX_PREFIX = 100
"""Characters before the 64 of an identity: some caches take keys of 250, with a prefix of their own."""
LONGEST_LEEWAY = 300
"""Seconds of LEEWAY that a feed of revocations allows for when it goes on to name a token that has expired."""
BOOLEAN = "must be True or False"
CACHE_ALIAS = "must be an alias of CACHES"
BACKEND_ALIAS = "must be an alias of BACKENDS"


class Resource(NamedTuple):
    """A resource that clients may request: its scopes, whether its tokens are JWTs, and its name for people."""

    scopes: frozenset[str]
    is_default: bool
    takes_jwt: bool
    name: str | None = None
    metadata: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def read(cls, identifier: Any, entry: Any) -> Resource:
        """Read one entry of RESOURCES; raises InvalidSetting."""
        if not isinstance(identifier, str) or resource_problem(identifier):
            raise invalid_setting("RESOURCES", problem="must have absolute URIs without fragment as keys")
        place = ("RESOURCES", identifier)
        check_keys(entry, ("SCOPES", "DEFAULT", "FORMAT", "NAME", "METADATA"), *place)
        scopes, is_default, name = entry.get("SCOPES", ()), entry.get("DEFAULT", False), entry.get("NAME")
        if not isinstance(scopes, (list, tuple)) or not all(map(is_scope_token, scopes)):
            raise invalid_setting(*place, "SCOPES", problem="must be a list of scope tokens")
        if not isinstance(is_default, bool):
            raise invalid_setting(*place, "DEFAULT", problem=BOOLEAN)
        if entry.get("FORMAT", TOKEN_FORMATS[0]) not in TOKEN_FORMATS:
            raise invalid_setting(*place, "FORMAT", problem=one_of(TOKEN_FORMATS))
        if name is not None and (not isinstance(name, str) or not name):
            raise invalid_setting(*place, "NAME", problem="must be a string that is not empty")
        metadata = read_metadata(entry.get("METADATA", {}), *place, "METADATA")
        return cls(frozenset(scopes), is_default, entry.get("FORMAT") == "jwt", name, metadata)


class ProtectedPath(NamedTuple):
    """The token that the middleware requires of every request below a path."""

    prefix: str
    scopes: tuple[str, ...]
    backend: str
    schemes: tuple[str, ...]
    step_up: StepUp | None = None
    write_scopes: tuple[str, ...] | None = None
    """The scopes for methods that may change something; None for the same as `scopes`."""

    @classmethod
    def read(cls, prefix: Any, entry: Any, aliases: Iterable[str]) -> ProtectedPath:
        """Read one entry of PROTECTED_PATHS, which names one of the aliases of BACKENDS; raises InvalidSetting."""
        if not isinstance(prefix, str) or not prefix.startswith("/"):
            raise invalid_setting("PROTECTED_PATHS", problem="must have paths that begin with a slash as keys")
        prefix = merge_slashes(prefix)
        place = ("PROTECTED_PATHS", prefix)
        if has_several_readings(prefix):
            raise invalid_setting(*place, problem="must be a decoded path without dot segments")
        check_keys(entry, ("SCOPE", "WRITE_SCOPE", "USING", "SCHEMES", "ACR_VALUES", "MAX_AGE"), *place)
        backend, schemes = entry.get("USING", "default"), entry.get("SCHEMES", SCHEMES[:1])
        scopes = _scopes(entry.get("SCOPE", ""), *place, "SCOPE")
        write_scopes = _scopes(entry["WRITE_SCOPE"], *place, "WRITE_SCOPE") if "WRITE_SCOPE" in entry else None
        if not isinstance(backend, str) or backend not in aliases:
            raise invalid_setting(*place, "USING", problem=BACKEND_ALIAS)
        if not are_schemes(schemes):
            raise invalid_setting(*place, "SCHEMES", problem=f"must be a list of {' and '.join(SCHEMES)}")
        return cls(prefix, scopes, backend, tuple(schemes), _step_up(entry, *place), write_scopes)


def _scopes(value: Any, *place: str) -> tuple[str, ...]:
    try:
        return parse_scope(value)
    except (TypeError, ValueError):
        problem = "must be a string of scope tokens with one space between them"
        raise invalid_setting(*place, problem=problem) from None


class Revocations(NamedTuple):
    """The cache that holds tombstones and cut-offs, by alias, and the prefix of their keys."""

    alias: str
    prefix: str
    has_tombstones: bool = True
    """Whether an authorization server of this package writes tombstones there."""
    cut_off_lifetime: int = 24 * 60 * 60
    """The seconds for which a cut-off is kept: the longest life of a token that it must end."""

    @classmethod
    def read(cls, entry: Any) -> Revocations:
        """Read REVOCATIONS; raises InvalidSetting."""
        check_keys(entry, ("ALIAS", "PREFIX", "TOMBSTONES", "CUT_OFF_LIFETIME"), "REVOCATIONS")
        prefix = entry.get("PREFIX", "introspection:revoked:")
        if not isinstance(prefix, str) or not prefix.isascii() or not prefix.isprintable() or " " in prefix:
            raise invalid_setting("REVOCATIONS", "PREFIX", problem="must be a string of visible ASCII characters")
        if len(prefix) > MAX_PREFIX:
            raise invalid_setting("REVOCATIONS", "PREFIX", problem=f"must have at most {MAX_PREFIX} characters")
        has_tombstones = entry.get("TOMBSTONES", True)
        lifetime = entry.get("CUT_OFF_LIFETIME", cls._field_defaults["cut_off_lifetime"])
        if not isinstance(has_tombstones, bool):
            raise invalid_setting("REVOCATIONS", "TOMBSTONES", problem=BOOLEAN)
        if not is_whole_number(lifetime, least=1):
            problem = "must be a whole number of seconds, 1 or more"
            raise invalid_setting("REVOCATIONS", "CUT_OFF_LIFETIME", problem=problem)
        alias = cache_alias(entry.get("ALIAS", "default"), "REVOCATIONS", "ALIAS")
        return cls(alias, prefix, has_tombstones, lifetime)


class RevocationFeed(NamedTuple):
    """How the feed of revocations is served.

    MAX_WAITING is how many requests may wait in one process; None for what its server can bear. The Redis of the cache
    ALIAS wakes them; None for the cache of REVOCATIONS, unless PostgreSQL wakes them.
    """

    MAX_WAITING: int | None = None
    ALIAS: str | None = None

    @classmethod
    def read(cls, entry: Any) -> RevocationFeed:
        """Read REVOCATION_FEED; raises InvalidSetting."""
        check_keys(entry, cls._fields, "REVOCATION_FEED")
        most = entry.get("MAX_WAITING")
        if most is not None and not is_whole_number(most, least=0):
            raise invalid_setting("REVOCATION_FEED", "MAX_WAITING", problem="must be None or a whole number, 0 or more")
        alias = entry.get("ALIAS")
        return cls(most, None if alias is None else cache_alias(alias, "REVOCATION_FEED", "ALIAS"))


class Counters(NamedTuple):
    """The cache that counts by day, by alias."""

    alias: str

    @classmethod
    def read(cls, entry: Any) -> Counters:
        """Read COUNTERS; raises InvalidSetting."""
        check_keys(entry, ("ALIAS",), "COUNTERS")
        return cls(cache_alias(entry.get("ALIAS", "default"), "COUNTERS", "ALIAS"))


class Leaks(NamedTuple):
    """The URL of the keys that sign alerts about leaked credentials, and the receivers of e-mails about them."""

    alert_keys: str | None = None
    mail: frozenset[str] = frozenset()

    @classmethod
    def read(cls, entry: Any) -> Leaks:
        """Read LEAKS; raises InvalidSetting."""
        check_keys(entry, ("ALERT_KEYS", "MAIL"), "LEAKS")
        keys, mail = entry.get("ALERT_KEYS"), entry.get("MAIL", ())
        if keys is not None and (problem := endpoint_problem(keys if isinstance(keys, str) else "")):
            raise invalid_setting("LEAKS", "ALERT_KEYS", problem=problem)
        if not isinstance(mail, (list, tuple, set, frozenset)) or not all(each in MAIL_TO for each in mail):
            raise invalid_setting("LEAKS", "MAIL", problem=f"must be a list of {' and '.join(map(repr, MAIL_TO))}")
        return cls(keys, frozenset(mail))


class TrustedProxies(NamedTuple):
    """The proxies whose X-Forwarded-For is believed: networks, and the Unix socket that has no address."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix_socket: bool = False

    @classmethod
    def read(cls, values: Iterable[str]) -> TrustedProxies:
        """Read TRUSTED_PROXIES; raises InvalidSetting."""
        try:
            networks = tuple(ip_network(value) for value in values if value != UNIX_SOCKET)
        except ValueError:
            problem = f"must be a list of IP addresses, networks and the word {UNIX_SOCKET!r}"
            raise invalid_setting("TRUSTED_PROXIES", problem=problem) from None
        return cls(networks, UNIX_SOCKET in values)

    def trust(self, address: IPv4Address | IPv6Address | None) -> bool:
        """Return whether an address is that of a trusted proxy; None stands for a Unix socket."""
        return self.unix_socket if address is None else any(address in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Throttle:
    """The limits of failures and inactive answers, counted in the cache ALIAS in windows of PERIOD seconds."""

    FAILURES: int = 20
    PERIOD: int = 60
    ALIAS: str = "default"
    INACTIVE_SIGNAL: int = 1000
    INACTIVE_LIMIT: int | None = None

    @classmethod
    def read(cls, entry: Any) -> Throttle:
        """Read THROTTLE; raises InvalidSetting."""
        check_keys(entry, [each.name for each in fields(cls)], "THROTTLE")
        throttle = cls(**entry)
        for name in ("FAILURES", "PERIOD", "INACTIVE_SIGNAL"):
            if not is_whole_number(getattr(throttle, name), least=1):
                raise invalid_setting("THROTTLE", name, problem="must be a whole number, 1 or more")
        limit = throttle.INACTIVE_LIMIT
        if limit is not None and not is_whole_number(limit, least=1):
            raise invalid_setting("THROTTLE", "INACTIVE_LIMIT", problem="must be None or a whole number, 1 or more")
        cache_alias(throttle.ALIAS, "THROTTLE", "ALIAS")
        return throttle


def _step_up(entry: Mapping[str, Any], *place: str) -> StepUp | None:
    """Return the authentication that an entry requires, None if it names none; raises InvalidSetting."""
    if not {"ACR_VALUES", "MAX_AGE"} & entry.keys():
        return None
    try:
        return StepUp.read(entry.get("ACR_VALUES", ()), entry.get("MAX_AGE"))
    except (TypeError, ValueError):
        problem = "must have a list of strings without spaces as ACR_VALUES, or whole seconds as MAX_AGE, or both"
        raise invalid_setting(*place, problem=problem) from None


def invalid_setting(*keys: str, problem: str) -> InvalidSetting:
    """Return the error for the setting at these keys; `problem` says what it must be and never holds its value."""
    return InvalidSetting(f"{NAME}{''.join(f'[{key!r}]' for key in keys)} {problem}.")


def check_keys(entry: Any, known: Iterable[str], *place: str) -> None:
    """Raise InvalidSetting unless an entry is a dictionary that has no other keys than the known ones."""
    if not isinstance(entry, Mapping):
        raise invalid_setting(*place, problem="must be a dictionary")
    if unknown := entry.keys() - set(known):
        raise invalid_setting(*place, problem=unknown_keys(unknown, known))


def unknown_keys(unknown: Iterable[Any], known: Iterable[str]) -> str:
    """Return the problem of keys that do not exist, each with the known key that its author may have meant."""
    named = ", ".join(f"{key!r}{did_you_mean(key, known)}" for key in sorted(unknown, key=repr))
    return f"has unknown keys: {named}"


def read_metadata(members: Any, *place: str) -> Mapping[str, Any]:
    """Read further members of a metadata document (RFC 8414 §2, RFC 9728 §2); raises InvalidSetting.

    `signed_metadata` is refused, because its claims take precedence over the members that this server decides.
    """
    if not isinstance(members, Mapping) or not all(isinstance(name, str) and name for name in members):
        raise invalid_setting(*place, problem="must be a dictionary with the names of members as keys")
    try:
        copy: Mapping[str, Any] = json.loads(json.dumps(dict(members), allow_nan=False))
    except (TypeError, ValueError):
        raise invalid_setting(*place, problem="must have values that JSON can hold") from None
    for name, value in copy.items():
        if problem := _metadata_problem(name, value):
            raise invalid_setting(*place, name, problem=problem)
    return MappingProxyType(copy)


def _metadata_problem(name: str, value: Any) -> str | None:
    if name == "signed_metadata":
        return "is not supported: it would replace other members"
    if value in (None, "", [], {}):
        return "must not be empty (RFC 8414 §3.2)"
    if name.endswith("_endpoint") or name == "jwks_uri":
        return endpoint_problem(value if isinstance(value, str) else "")
    if name.endswith("_signing_alg_values_supported") and "none" in (value if isinstance(value, list) else [value]):
        return "must not name the algorithm 'none'"
    return None


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """Return the known name that is like a wrong one, as a question in brackets; an empty string if none is."""
    close = get_close_matches(str(name), list(map(str, known)), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def one_of(choices: Iterable[str]) -> str:
    """Return the problem of a value that is not among some strings."""
    return f"must be one of {', '.join(map(repr, choices))}"


def cache_alias(alias: Any, *place: str) -> str:
    """Return an alias of CACHES; raises InvalidSetting for anything else."""
    if not isinstance(alias, str) or alias not in settings.CACHES:
        raise invalid_setting(*place, problem=CACHE_ALIAS)
    return alias


def is_whole_number(value: Any, *, least: int) -> bool:
    """Return whether a value is an integer that is not too small; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


MAX_DAYS = 36_500
"""A hundred years: every moment that so many days lead to can be written as a date."""


def seconds_problem(value: Any, *, least: int) -> str | None:
    """Return the rule that a number of seconds breaks, None if it breaks none."""
    if not is_whole_number(value, least=least):
        return f"must be a whole number of seconds, {least} or more"
    longest = MAX_DAYS * 24 * 60 * 60
    return None if value <= longest else f"must be {longest} seconds (a hundred years) or less"
