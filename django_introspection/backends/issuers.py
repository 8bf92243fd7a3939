"""Issuers that come and go while the process runs: a function of the project finds them, each has its own backend."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any

from ..protocol.errors import IntrospectionUnavailable
from ..protocol.identifiers import issuer_problem
from .base import TokenBackend
from .diagnosis import Finding
from .issuer_backends import Found, IssuerBackends
from .refreshed import Refreshed

MAX_UNKNOWN = 1000
"""Issuers without an entry that are remembered, so that a token of one is not looked up each time."""
MOST_NAMED = 20
"""Issuers that the doctor names."""
MAX_ISSUER = 255
"""Characters of an issuer that is looked up."""


class LookUpNeeded(Exception):
    """The answer is not in memory."""


class Issuers:
    """The issuers that `find` knows, with the backends of the `most` that were used last.

    `audience` is that of a configuration without one; `timeout` are the seconds that a caller waits for a look-up which
    another one has begun. `find` gets a string that a stranger chose, and may be async. A
    token never reaches the server of an issuer for which `find` returns None. An object `find` may have methods:
    `issuers()` returns those that it knows, `forget()` makes it look again, and `problem()` says why it cannot work.
    """

    def __init__(
        self, alias: str, find: Callable[[str], Any], *, audience: frozenset[str], most: int, timeout: float
    ) -> None:
        self.find, self._timeout, self._most = find, timeout, most
        self._backends = IssuerBackends(alias, find, audience=audience, timeout=timeout)
        self._lock = Lock()
        self._known: OrderedDict[str, _Issuer] = OrderedDict()
        self._unknown: OrderedDict[str, _Issuer] = OrderedDict()

    def backend_of(self, issuer: str) -> TokenBackend | None:
        """Return the backend of an issuer, None for one without an entry.

        Raises IntrospectionUnavailable if it cannot be looked up, or has a configuration that cannot be used.
        """
        if not _may_be_issuer(issuer):
            return None
        kept = self._keep(issuer)
        found = kept.found.get()
        self._file(kept, found)
        return _usable(found)

    def backend_from_memory(self, issuer: str) -> TokenBackend | None:
        """Return like `backend_of`; raise LookUpNeeded if the issuer would be looked up."""
        if not _may_be_issuer(issuer):
            return None
        kept = self._keep(issuer)
        found = kept.found.fresh
        if found is None:
            raise LookUpNeeded
        self._file(kept, found)
        return _usable(found)

    def backend_without_look_up(self, issuer: str, failure: IntrospectionUnavailable) -> TokenBackend | None:
        """Return the last backend of a known issuer, while it may stand in; raises the failure otherwise."""
        kept = self._known.get(issuer)
        if kept is None:
            raise failure
        return _usable(kept.found.without_look_up(failure))

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
        return self._backends.make(issuer, entry)

    def _let_find_forget(self) -> None:
        forget: Callable[[], None] | None = getattr(self.find, "forget", None)
        if forget:
            forget()

    def _keep(self, issuer: str) -> _Issuer:
        with self._lock:
            issuers = self._known if issuer in self._known else self._unknown
            kept = issuers.setdefault(issuer, _Issuer(self._backends, issuer, self._timeout))
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

    def __init__(self, backends: IssuerBackends, issuer: str, timeout: float) -> None:
        self.issuer, self.is_retired = issuer, False
        self._backends, self._last = backends, Found()
        self.found = Refreshed(
            self._look_up, may_stand_in=lambda found: found.configuration is not None, timeout=timeout
        )

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
        found = self._backends.look_up(self.issuer, self._last)
        if found is not self._last:
            self.close()
            self._last = found
        return found


def _may_be_issuer(issuer: str) -> bool:
    """Return whether an issuer is one that can have an entry, so that other strings of strangers cost no look-up."""
    return 0 < len(issuer) <= MAX_ISSUER and issuer_problem(issuer, insecure_http=True) is None


def _usable(found: Found) -> TokenBackend | None:
    if found.problem is not None:
        raise IntrospectionUnavailable("the issuer of this token has a configuration that cannot be used")
    return found.backend
