"""Issuers that come and go while the process runs: a function of the project finds them, each has its own backend."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from inspect import iscoroutinefunction
from threading import Lock
from typing import Any, NamedTuple

from asgiref.sync import async_to_sync

from ..conf import introspection_settings
from ..exceptions import InvalidBackend, InvalidSetting
from ..hooks import call_hook
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.identifiers import issuer_problem
from ..setting_values import NAME
from .base import TokenBackend
from .diagnosis import Finding
from .refreshed import Refreshed
from .registry import kind_of, token_backends

logger = logging.getLogger("django_introspection")

MAX_UNKNOWN = 1000
"""Issuers without an entry that are remembered, so that a token of one is not looked up each time."""
MOST_NAMED = 20
"""Issuers that the doctor names."""
MAX_ISSUER = 255
"""Characters of an issuer that is looked up."""

Configuration = str | Mapping[str, Any]
"""The alias of a backend, or an entry like those of BACKENDS."""
Find = Callable[[str], Configuration | None]


class Found(NamedTuple):
    """The result of a look-up: no configuration, a backend, or the problem of a configuration that cannot be used."""

    configuration: Configuration | None = None
    backend: TokenBackend | None = None
    problem: str | None = None


class Issuers:
    """The issuers that `find` knows, with the backends of the `most` that were used last.

    `audience` is that of a configuration without one. `find` gets a string that a stranger chose, and may be async. A
    token never reaches the server of an issuer for which `find` returns None. An object `find` may have methods:
    `issuers()` returns those that it knows, `forget()` makes it look again, and `problem()` says why it cannot work.
    """

    def __init__(self, alias: str, find: Callable[[str], Any], *, audience: frozenset[str], most: int) -> None:
        self.find, self._alias, self._audience, self._most = find, alias, audience, most
        self.place = f"{NAME}['BACKENDS'][{alias!r}]['OPTIONS']['issuers']"
        is_async = iscoroutinefunction(find) or iscoroutinefunction(getattr(find, "__call__", None))  # noqa: B004
        self._find: Find = async_to_sync(find) if is_async else find
        self._lock = Lock()
        self._known: OrderedDict[str, _Issuer] = OrderedDict()
        self._unknown: OrderedDict[str, _Issuer] = OrderedDict()

    def is_known_now(self, issuer: str) -> bool:
        """Return whether `backend_of` answers from memory."""
        kept = self._known.get(issuer) or self._unknown.get(issuer)
        return not _may_be_issuer(issuer) or (kept is not None and kept.found.is_fresh)

    def backend_of(self, issuer: str) -> TokenBackend | None:
        """Return the backend of an issuer, None for one without an entry.

        Raises IntrospectionUnavailable if it cannot be looked up, or has a configuration that cannot be used.
        """
        if not _may_be_issuer(issuer):
            return None
        kept = self._keep(issuer)
        found = kept.found.get()
        self._file(kept, found)
        if found.problem is not None:
            raise IntrospectionUnavailable("the issuer of this token has a configuration that cannot be used")
        return found.backend

    def made(self) -> list[TokenBackend]:
        """Return the backends that were made for issuers and are in use."""
        with self._lock:
            return [kept.own for kept in self._known.values() if kept.own is not None]

    def forget(self, issuer: str | None = None) -> None:
        """Look up one issuer, or all of them, at the next token."""
        self._let_find_forget()
        with self._lock:
            for issuers in (self._known, self._unknown):
                for name in issuers if issuer is None else [issuer]:
                    if name in issuers:
                        issuers[name].found.forget()

    def close(self) -> None:
        """Close every backend that was made here."""
        self._let_find_forget()
        with self._lock:
            retired = [*self._known.values()]
            self._known.clear()
            self._unknown.clear()
            for kept in retired:
                kept.is_retired = True
        for kept in retired:
            kept.close()

    def listed(self) -> list[str]:
        """Return the issuers that `find` lists, else those in use; raises IntrospectionUnavailable."""
        issuers: Callable[[], Iterable[str]] | None = getattr(self.find, "issuers", None)
        return list(issuers()) if issuers else [str(backend.issuer) for backend in self.made()]

    def diagnose(self) -> Finding:
        """Return how many issuers there are, with the names of some."""
        try:
            issuers = self.listed()
        except IntrospectionUnavailable as problem:
            return Finding.error(
                f"issuers cannot be looked up: {problem}", "Tokens of new issuers get 503 until they can."
            )
        more = ", …" if len(issuers) > MOST_NAMED else ""
        named = f": {', '.join(issuers[:MOST_NAMED])}{more}" if issuers else ""
        return Finding.ok(f"it looks issuers up; known now are {len(issuers)}{named}")

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
            if problem := self._problem(backend, issuer):
                backend.close()
                raise InvalidBackend(f"{problem}.")
        except InvalidBackend as problem:
            raise InvalidBackend(str(problem).removeprefix(place).strip()) from None
        backend.is_looked_up = True
        return backend

    def look_up(self, issuer: str, kept: Found) -> Found:
        """Look up an issuer anew; `kept` is returned if its configuration is still the same."""
        configuration: Configuration | None = {}
        try:
            configuration = call_hook(self.place, self._find, issuer, read=_copied, passing=(InvalidSetting,))
            if configuration == kept.configuration and kept.problem is None:
                return kept
            if configuration is None:
                return Found()
            return Found(configuration, self._backend(issuer, configuration))
        except InvalidSetting as problem:
            if str(problem) != kept.problem:
                logger.error("issuer cannot be used backend=%s issuer=%s: %s", self._alias, issuer, problem)
            return Found(configuration, problem=str(problem))

    def _let_find_forget(self) -> None:
        forget: Callable[[], None] | None = getattr(self.find, "forget", None)
        if forget:
            forget()

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

    def _problem(self, backend: TokenBackend, issuer: str) -> str | None:
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

    def _keep(self, issuer: str) -> _Issuer:
        with self._lock:
            issuers = self._known if issuer in self._known else self._unknown
            kept = issuers.setdefault(issuer, _Issuer(self, issuer))
            issuers.move_to_end(issuer)
            if len(self._unknown) > MAX_UNKNOWN:
                self._unknown.popitem(last=False)
            return kept

    def _file(self, kept: _Issuer, found: Found) -> None:
        """Keep an issuer with the known or the unknown ones, so that strangers push no known one out."""
        issuer, is_known = kept.issuer, found.configuration is not None
        if not kept.is_retired and (self._known.get(issuer) is kept) == is_known:
            return
        retired: list[_Issuer] = []
        with self._lock:
            if kept.is_retired:
                retired.append(kept)
            elif is_known:
                self._unknown.pop(issuer, None)
                if (other := self._known.get(issuer)) is not None and other is not kept:
                    retired.append(other)
                self._known[issuer] = kept
                while len(self._known) > self._most:
                    retired.append(self._known.popitem(last=False)[1])
            elif self._known.get(issuer) is kept:
                self._unknown[issuer] = self._known.pop(issuer)
            for each in retired:
                each.is_retired = True
        for each in retired:
            each.close()


class _Issuer:
    """One issuer, and its backend if there is one. Once retired it serves the requests that have it, and is closed."""

    def __init__(self, issuers: Issuers, issuer: str) -> None:
        self.issuer, self.is_retired = issuer, False
        self._issuers, self._last = issuers, Found()
        self.found = Refreshed(self._look_up, may_stand_in=lambda found: found.configuration is not None)

    @property
    def own(self) -> TokenBackend | None:
        """The backend that was made for this issuer alone."""
        backend = self._last.backend
        return backend if backend is not None and backend.is_looked_up else None

    def close(self) -> None:
        """Close the backend; requests that have it end as usual."""
        if (own := self.own) is not None:
            own.close()

    def _look_up(self) -> Found:
        found = self._issuers.look_up(self.issuer, self._last)
        if found is not self._last:
            self.close()
            self._last = found
        return found


def _may_be_issuer(issuer: str) -> bool:
    """Return whether an issuer is one that can have an entry, so that other strings of strangers cost no look-up."""
    return 0 < len(issuer) <= MAX_ISSUER and issuer_problem(issuer, insecure_http=True) is None


def _copied(configuration: Any) -> Configuration | None:
    """Return a copy of a configuration, to compare the next one with it; raises TypeError."""
    if configuration is None or isinstance(configuration, str):
        return configuration
    if not isinstance(configuration, Mapping):
        raise TypeError("it must be None, an alias of BACKENDS or a dictionary like an entry of BACKENDS")
    return deepcopy(dict(configuration))


def _identity_of(alias: str) -> str | None:
    try:
        backend = token_backends[alias]
    except InvalidSetting:  # the checks report it, and it answers for nobody
        return None
    return None if backend.is_router else backend.identity_issuer
